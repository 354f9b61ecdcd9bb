"""The wire: a type per message, decode and encode (AppSync Events guide, "WebSocket protocol").

Text from outside becomes a typed value here and nowhere else. What does not fit raises `Malformed`, which knows the
operation and the id to answer to. What goes out is built here too, including the parts from which a snapshot's frame is
spliced: a ``data`` frame is constant but for the subscriber's id and, inside the event, what only that subscriber is
told, so the body of a board is encoded and escaped once for all that share a view.
"""

from __future__ import annotations

import itertools
import math
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from leaderboard.errors import (
    BadRequest,
    InvalidEvent,
    InvalidInput,
    Refusal,
    ScoreOutOfRange,
    UnsupportedOperation,
)
from leaderboard.events import (
    MAX_PLAYER,
    Ban,
    Enter,
    Event,
    Hide,
    PlayerId,
    Props,
    Remove,
    Score,
    Show,
    Staging,
    Unban,
)
from leaderboard.names import MAX_NAME, clean_name, is_printable_id
from leaderboard.ranking import Row, View, Window
from leaderboard.rounds import State
from leaderboard.settings import MAX_OF, MAX_RADIUS, MAX_SCORE, MAX_TOP

MAX_EVENTS = 5
MAX_EVENT_BYTES = 240 * 1024
"""AppSync says 240 KB; read as KiB of UTF-8, which takes all that either reading takes."""
MAX_META_BYTES = 1024
MAX_PROPS_BYTES = 4096
MAX_PROPS_LEVELS = 32
"""Everybody who watches has to parse the props, and how deep a reader of JSON can go is its own affair."""
MAX_N = 2**53 - 1
MAX_REASON = 200

_ID = re.compile(r"[a-zA-Z0-9\-_+]{1,128}").fullmatch


# -- in: frames --------------------------------------------------------------------------------------------------------


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
        raise BadRequest(_reason(error)) from None


def _malformed(text: str, error: Exception) -> Malformed:
    try:
        envelope = _envelope.decode(text)
    except (ValueError, RecursionError):
        return Malformed(BadRequest(f"A frame is one JSON object: {_reason(error)}"))
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
    return Malformed(BadRequest(_reason(error)), answer, id_)


def _reason(error: Exception) -> str:
    """What is wrong with the input, in a sentence fit for the sender."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeError):
        return "text that is not valid Unicode"
    text = str(error)
    if text == "Input data was truncated":
        return "JSON is incomplete, or has a lone surrogate"
    text = text.replace("`$.", "`").replace(" - at `$`", "")
    # It may quote the sender, who must not make the server echo megabytes.
    return text if len(text) <= MAX_REASON else text[:MAX_REASON] + "..."


def check_events(events: Sequence[str]) -> None:
    """The protocol's rules for the events of one publish; raises `InvalidInput`."""
    if len(events) > MAX_EVENTS:
        raise InvalidInput(f"input exceeded {MAX_EVENTS} event limit")
    for event in events:
        # A character is at most four bytes: most events are seen to be small enough without encoding them.
        if len(event) > MAX_EVENT_BYTES // 4 and len(event.encode()) > MAX_EVENT_BYTES:
            raise InvalidInput(f"event {events.index(event)} exceeds {MAX_EVENT_BYTES} bytes")


# -- in: events --------------------------------------------------------------------------------------------------------


class BoardEvent(Struct):
    """A score on a board, or with another ``op`` what else a board knows: then that says which members it must have.

    A score has ``player`` (or ``id``) and ``score``. With ``by`` and ``n`` it counts once, however often it is sent.
    """

    op: str = "score"
    player: str | None = None
    id: str | None = None
    score: float | UnsetType = UNSET
    name: str | None = None
    meta: dict[str, Any] | None = None
    by: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_\-]{0,32}\Z")] = ""
    n: Annotated[int, Meta(ge=1, le=MAX_N)] | None = None
    round: Annotated[int, Meta(ge=1, le=MAX_N)] | None = None


_board_event = msgspec.json.Decoder(BoardEvent)
_staging = msgspec.json.Decoder(Staging)
_STAGING = frozenset(kind.__struct_config__.tag for kind in get_args(Staging))
_OF_A_PLAYER: dict[str, Callable[[str], Event]] = {
    str(kind.__struct_config__.tag): kind for kind in (Remove, Hide, Show, Ban, Unban)
}


def decode_board_event(text: str) -> Event:
    """An event of a board channel; raises `InvalidEvent` or `ScoreOutOfRange`. Unknown members are ignored."""
    try:
        event = _board_event.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(_reason(error)) from None
    if event.op in _STAGING:
        return _decode_staging(text)
    if event.op not in ("score", "enter") and event.op not in _OF_A_PLAYER:
        raise InvalidEvent(f"op {event.op[:40]!a} is not one that a board knows")
    player = event.player if event.player is not None else event.id
    if not player:
        raise InvalidEvent("player is missing or empty")
    if len(player) > MAX_PLAYER:
        raise InvalidEvent(f"player has more than {MAX_PLAYER} characters")
    if not player.isprintable() and not is_printable_id(player):
        raise InvalidEvent("player has a control character")
    if event.op in _OF_A_PLAYER:
        return _OF_A_PLAYER[event.op](player)
    name = None if event.name is None else _name(event.name)
    if event.op == "enter":
        if event.meta is not None:
            _canonical(event.meta, "meta", MAX_META_BYTES)
        return Enter(player, name, event.meta)
    if event.score is UNSET:
        raise InvalidEvent("score is missing")
    if not -MAX_SCORE <= event.score <= MAX_SCORE:
        raise ScoreOutOfRange("score is beyond 2^53-1, the range of exact numbers")
    return Score(
        player,
        event.score,
        name,
        None if event.meta is None else _canonical(event.meta, "meta", MAX_META_BYTES),
        event.by,
        event.n,
        event.round,
    )


def _decode_staging(text: str) -> Staging:
    try:
        event: Staging = _staging.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(_reason(error)) from None
    if isinstance(event, Props):
        _canonical(event.props, "props", MAX_PROPS_BYTES)
        if _is_deeper(event.props, MAX_PROPS_LEVELS):
            raise InvalidEvent(f"props is nested too deeply: more than {MAX_PROPS_LEVELS} levels")
    return event


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return not levels or any(_is_deeper(each, levels - 1) for each in inner)


def _name(text: str) -> str:
    # The limit holds after cleaning; what is ten times longer is not worth cleaning.
    name = clean_name(text) if len(text) <= MAX_NAME * 10 else text
    if not 1 <= len(name) <= MAX_NAME:
        raise InvalidEvent(f"name must have 1 to {MAX_NAME} visible characters")
    return name


def _canonical(members: dict[str, Any], what: str, limit: int) -> str:
    try:
        text = msgspec.json.encode(members, order="sorted")
    except RecursionError:
        raise InvalidEvent(f"{what} is nested too deeply") from None
    if len(text) > limit:
        raise InvalidEvent(f"{what} has {len(text)} bytes of canonical JSON, {limit} at most")
    return text.decode()


def decode_any_event(text: str) -> Any:
    """An event as the JSON value that it is: subscribers parse what they get. Raises `InvalidEvent`."""
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(_reason(error)) from None


# -- out: replies ------------------------------------------------------------------------------------------------------


class Accepted(Struct, omit_defaults=True):
    """An event that was applied, or that repeats one that was."""

    identifier: str
    index: int
    duplicate: bool = False


class Failed(Struct):
    """An event that was refused by itself; ``code`` is an integer of HTTP meaning."""

    identifier: str
    index: int
    code: int
    errorType: str  # noqa: N815
    message: str


class Result(Struct):
    """Where an event left its player; null after a removal."""

    player: str
    score: int | float | None
    rank: int | None
    version: int


class Published(Struct, omit_defaults=True):
    """The answer to a publish. ``results``, where asked for, has one item per event: null for those that failed or
    have no player."""

    successful: list[Accepted]
    failed: list[Failed]
    results: list[Result | None] | None = None


def accepted(index: int, duplicate: bool = False) -> Accepted:
    """The ``successful`` item of the event at ``index``."""
    return Accepted(f"{_origin}{next(_counter)}", index, duplicate)


def failed(index: int, refusal: Refusal) -> Failed:
    """The ``failed`` item of the event at ``index``."""
    identifier = f"{_origin}{next(_counter)}"
    return Failed(identifier, index, refusal.status, refusal.error_type, refusal.message)


# Clients want a UUID only to tell events apart: a random half and a counter serve, at a fifth of what uuid4() costs.
_origin = str(uuid.uuid4())[:-12]
_counter = itertools.count(10**11)  # of twelve digits, for some thousand years


def new_identifier() -> str:
    """What an event is called in the answer to its publish."""
    return f"{_origin}{next(_counter)}"


_encoder = msgspec.json.Encoder()
encode = _encoder.encode

KEEP_ALIVE = b'{"type":"ka"}'


def connection_ack(timeout_ms: int) -> bytes:
    """The answer to ``connection_init``: after so long without ``ka`` or ``data`` a client gives the connection up."""
    return b'{"type":"connection_ack","connectionTimeoutMs":%d}' % timeout_ms


def success(kind: str, id: str) -> bytes:  # noqa: A002
    """``subscribe_success`` or ``unsubscribe_success``."""
    return b'{"type":"%s_success","id":"%s"}' % (kind.encode(), id.encode())


def publish_success(id: str, published: Published) -> bytes:  # noqa: A002
    """The answer to a publish of which at least one event succeeded."""
    return b'{"type":"publish_success","id":"' + id.encode() + b'",' + encode(published)[1:]


def publish_failed(id: str, failures: Iterable[Failed]) -> bytes:  # noqa: A002
    """The answer to a publish of which every event failed: one error each."""
    told = [{"errorType": item.errorType, "message": item.message} for item in failures]
    return encode({"type": "publish_error", "id": id, "errors": told})


def answer_to(message: Message) -> str:
    """The type of the error frame that answers a message."""
    return _ANSWERS[message.__struct_config__.tag]  # type: ignore[index]


def error(answer: str, refusals: Iterable[Refusal], id: str | None = None) -> bytes:  # noqa: A002
    """An error frame. ``id`` is there whenever the client gave one."""
    frame: dict[str, Any] = {"type": answer}
    if id is not None:
        frame["id"] = id
    frame["errors"] = errors(refusals)
    return encode(frame)


def errors(refusals: Iterable[Refusal]) -> list[dict[str, str | int]]:
    """The ``errors`` member of both doors. Our one additional member says when the same may be asked again."""
    return [_told(item) for item in refusals]


def _told(refusal: Refusal) -> dict[str, str | int]:
    told: dict[str, str | int] = {"errorType": refusal.error_type, "message": refusal.message}
    if refusal.retry_after is not None:
        told["retryAfterMs"] = math.ceil(refusal.retry_after * 1000)
    return told


# -- out: events and snapshots -----------------------------------------------------------------------------------------


class Round(Struct, frozen=True, omit_defaults=True):
    """The round member of a snapshot. While a frozen board is revealed, so many places are still ``hidden``."""

    number: int
    state: State
    frozen: bool
    props: msgspec.Raw
    hidden: int = 0


class _Body(Struct):
    channel: str
    epoch: str
    version: int
    round: Round
    total: int
    rows: list[Row] | UnsetType
    around: list[Row] | UnsetType
    of: list[Row] | UnsetType


class Snapshot(Struct):
    """A board through a view, as subscribers and readers get it; the encoder puts it together from its parts."""

    type: Literal["snapshot"]
    channel: str
    epoch: str
    version: int
    round: Round
    total: int
    time: int
    watching: int
    playing: int
    starts_in_ms: int | UnsetType = UNSET
    ends_in_ms: int | UnsetType = UNSET
    stale: bool | UnsetType = UNSET
    rows: list[Row] | UnsetType = UNSET
    around: list[Row] | UnsetType = UNSET
    of: list[Row] | UnsetType = UNSET
    reset: bool = False
    skipped: int = 0


class Live(Struct):
    """What a snapshot says of the moment at which it was sent: milliseconds since 1970, who watches and plays, and how
    long it is until the round begins and ends. ``stale``: the board cannot be reached; this was seen last."""

    time: int
    watching: int
    playing: int
    starts_in_ms: int | UnsetType = UNSET
    ends_in_ms: int | UnsetType = UNSET
    stale: bool | UnsetType = UNSET


def body(channel: str, epoch: str, round: Round, window: Window) -> str:
    """The members of a snapshot that are the same for all who share a view: JSON without the braces."""
    return _members(
        _Body(
            channel,
            epoch,
            window.version,
            round,
            window.total,
            UNSET if window.rows is None else window.rows,
            UNSET if window.around is None else window.around,
            UNSET if window.of is None else window.of,
        )
    )


def live(moment: Live) -> str:
    """The live members of a snapshot: JSON without the braces."""
    return _members(moment)


def own(*, reset: bool, skipped: int) -> str:
    """The members that only one subscriber is told, each with a comma behind it; mostly empty."""
    text = '"reset":true,' if reset else ""
    return f'{text}"skipped":{skipped},' if skipped else text


def snapshot(body: str, live: str) -> str:
    """A snapshot as HTTP and pages read it."""
    return f'{{"type":"snapshot",{body},{live}}}'


def shared(body: str, live: str) -> bytes:
    """The end of a snapshot's ``data`` frame, escaped once and the same for all who share a view."""
    return escape(f"{body},{live}}}") + b'"}'


def data_prefix(id: str) -> bytes:  # noqa: A002
    """The beginning of every ``data`` frame of a subscription."""
    return b'{"type":"data","id":"%s","event":"' % id.encode()


@lru_cache(maxsize=1024)
def snapshot_prefix(id: str) -> bytes:  # noqa: A002
    """The beginning of every ``data`` frame of a subscription to snapshots; one object for all with the same id."""
    return data_prefix(id) + rb"{\"type\":\"snapshot\","


def shared_event(event: str) -> bytes:
    """The end of the ``data`` frame of an event that is delivered as it came."""
    return escape(event) + b'"}'


def escape(text: str) -> bytes:
    """Text as it stands inside a JSON string."""
    return encode(text)[1:-1]


def _members(struct: Struct) -> str:
    return encode(struct)[1:-1].decode()
