"""What the server says: the answers to messages, and the ``data`` frame around an event.

They are built for speed and not from types; `asyncapi` describes them. What a snapshot is, inside such a frame, is for
`snapshots`.
"""

from __future__ import annotations

import itertools
import math
import uuid
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from leaderboard.errors import Refusal


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


# Clients want a UUID only to tell events apart: a random half and a counter serve, at a fifth of what uuid4() costs.
_origin = str(uuid.uuid4())[:-12]
_counter = itertools.count(10**11)  # of twelve digits, for some thousand years


def new_identifier() -> str:
    """What an event is called in the answer to its publish; connections and requests are named so in the log."""
    return f"{_origin}{next(_counter)}"


def accepted(index: int, duplicate: bool = False) -> Accepted:
    """The ``successful`` item of the event at ``index``."""
    return Accepted(new_identifier(), index, duplicate)


def failed(index: int, refusal: Refusal) -> Failed:
    """The ``failed`` item of the event at ``index``."""
    return Failed(new_identifier(), index, refusal.status, refusal.error_type, refusal.message)


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


def data_prefix(id: str) -> bytes:  # noqa: A002
    """The beginning of every ``data`` frame of a subscription."""
    return b'{"type":"data","id":"%s","event":"' % id.encode()


def shared_event(event: str) -> bytes:
    """The end of the ``data`` frame of an event that is delivered as it came."""
    return escape(event) + b'"}'


def escape(text: str) -> bytes:
    """Text as it stands inside a JSON string."""
    return encode(text)[1:-1]
