"""What a client may say: a type per message, and how a text becomes one (AppSync Events guide, "WebSocket protocol").

What does not fit raises `Malformed`, which knows the operation and the id to answer to. The events inside a publish are
texts still: those of boards become values in `events`. What the server says is in `replies` and `snapshots`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from leaderboard.errors import BadRequest, InvalidInput, Refusal, UnsupportedOperation, reason
from leaderboard.events import PlayerId
from leaderboard.ranking import View
from leaderboard.settings import MAX_OF, MAX_RADIUS, MAX_TOP

MAX_EVENTS = 5
MAX_EVENT_BYTES = 240 * 1024
"""AppSync says 240 KB; read as KiB of UTF-8, which takes all that either reading takes."""

_ID = re.compile(r"[a-zA-Z0-9\-_+]{1,128}").fullmatch


class ViewSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """``view`` of a subscribe, our one extension of the protocol."""

    top: Annotated[int, Meta(ge=1, le=MAX_TOP)] | None = None
    around: PlayerId | None = None
    radius: Annotated[int, Meta(ge=0, le=MAX_RADIUS)] = 2
    of: Annotated[list[PlayerId], Meta(min_length=1, max_length=MAX_OF)] | None = None
    every: Literal[1, 2, 5, 10] = 1
    live: bool = False
    since: Annotated[str, Meta(max_length=64)] | None = None

    def view(self, default_top: int) -> View:
        """The normalised view: what was asked, or the namespace's default rows if nothing was."""
        of = None if self.of is None else tuple(sorted(set(self.of)))
        nothing = self.top is None and self.around is None and of is None
        return View(
            top=self.top or (default_top if nothing else 0),
            around=self.around,
            radius=2 if self.around is None else self.radius,
            of=of,
            live=self.live,
        )


class ConnectionInit(Struct, frozen=True, tag="connection_init", tag_field="type"):
    """Opens the conversation; optional."""


class Subscribe(Struct, frozen=True, tag="subscribe", tag_field="type"):
    """Asks for the events of a channel or a wildcard under ``id``."""

    id: str
    channel: str
    authorization: dict[str, Any] | None = None
    view: ViewSpec | Literal["events"] | None = None


class Unsubscribe(Struct, frozen=True, tag="unsubscribe", tag_field="type"):
    """Ends the subscription ``id``."""

    id: str


class Publish(Struct, frozen=True, tag="publish", tag_field="type"):
    """1 to 5 events for a channel, each a JSON text."""

    id: str
    channel: str
    events: Annotated[list[str], Meta(min_length=1)]
    authorization: dict[str, Any] | None = None
    results: bool = False


class HttpPublish(Struct, frozen=True):
    """The body of ``POST /event``."""

    channel: str
    events: Annotated[list[str], Meta(min_length=1)]
    results: bool = False


Message = ConnectionInit | Subscribe | Unsubscribe | Publish

_message = msgspec.json.Decoder(Message)
_http_publish = msgspec.json.Decoder(HttpPublish)
_ANSWERS = {
    "connection_init": "connection_error",
    "subscribe": "subscribe_error",
    "unsubscribe": "unsubscribe_error",
    "publish": "publish_error",
}


class Malformed(Exception):
    """A frame that is no message: ``answer`` is the type of the frame that says so, ``id`` its id if it may be told."""

    def __init__(self, refusal: Refusal, answer: str = "error", id: str | None = None) -> None:  # noqa: A002
        super().__init__(refusal.message)
        self.refusal = refusal
        self.answer = answer
        self.id = id


class _Envelope(Struct):
    type: Any = None
    id: Any = None


_envelope = msgspec.json.Decoder(_Envelope)


def decode(text: str) -> Message:
    """The message in a text frame; raises `Malformed`."""
    try:
        message: Message = _message.decode(text)
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors
        raise _malformed(text, error) from None
    # Not by the type's pattern, which would cost half of the decoding.
    if message.__class__ is not ConnectionInit and not _ID(message.id):  # type: ignore[union-attr]
        raise _malformed(text, ValueError("id"))
    return message


def decode_http_publish(body: bytes) -> HttpPublish:
    """The body of ``POST /event``; raises `BadRequest`."""
    try:
        return _http_publish.decode(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(reason(error)) from None


def _malformed(text: str, error: Exception) -> Malformed:
    try:
        envelope = _envelope.decode(text)
    except (ValueError, RecursionError):
        return Malformed(BadRequest(f"A frame is one JSON object: {reason(error)}"))
    # An id is told back only if it is one: a client must not make the server echo megabytes.
    id_ = envelope.id if isinstance(envelope.id, str) and len(envelope.id) <= 128 else None
    if not isinstance(envelope.type, str):
        return Malformed(BadRequest("type is missing or no string"), id=id_)
    answer = _ANSWERS.get(envelope.type)
    if answer is None:
        return Malformed(
            UnsupportedOperation(
                f"{envelope.type[:40]!a} is not supported through the realtime channel"
            ),
            id=id_,
        )
    if envelope.type != "connection_init" and (id_ is None or not _ID(id_)):
        refusal = BadRequest("id must be a string of 1 to 128 letters, digits, -, _ or +")
        return Malformed(refusal, "error" if id_ is None else answer, id_)
    return Malformed(BadRequest(reason(error)), answer, id_)


def check_events(events: Sequence[str]) -> None:
    """The protocol's rules for the events of one publish; raises `InvalidInput`."""
    if len(events) > MAX_EVENTS:
        raise InvalidInput(f"input exceeded {MAX_EVENTS} event limit")
    for event in events:
        # A character is at most four bytes: most events are seen to be small enough without encoding them.
        if len(event) > MAX_EVENT_BYTES // 4 and len(event.encode()) > MAX_EVENT_BYTES:
            raise InvalidInput(f"event {events.index(event)} exceeds {MAX_EVENT_BYTES} bytes")


def answer_to(message: Message) -> str:
    """The type of the error frame that answers a message."""
    return _ANSWERS[message.__struct_config__.tag]  # type: ignore[index]
