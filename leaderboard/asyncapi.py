"""The WebSocket, described for tools: an AsyncAPI 3 document made of the types that decode what comes in.

What the server sends is built for speed and not from types (`replies`, `snapshots`), so the frames are described here.
A test holds real frames against these types, and every member has to be in both. An event travels as a string that
holds JSON, which no schema language can look into: what is in it stands beside it as ``x-content-schema``.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

from leaderboard import __version__
from leaderboard.events import BoardEvent, Control, Remove
from leaderboard.messages import ConnectionInit, Publish, Subscribe, Unsubscribe
from leaderboard.replies import Accepted, Failed, Result
from leaderboard.snapshots import Snapshot

PATH = "/event/realtime"
_SCHEMA = "#/components/schemas/{name}"


class Error(Struct, omit_defaults=True):
    """Why something was refused: docs/errors.md has the table. What time mends says when to come back."""

    errorType: str  # noqa: N815
    message: str
    retryAfterMs: int | UnsetType = UNSET  # noqa: N815


class ConnectionAck(Struct, tag="connection_ack", tag_field="type"):
    """A client gives the connection up if neither `ka` nor `data` comes for so long."""

    connectionTimeoutMs: int  # noqa: N815


class KeepAlive(Struct, tag="ka", tag_field="type"):
    """At once after `connection_ack`, then every 60 seconds; it is not answered."""


class ConnectionError(Struct, tag="connection_error", tag_field="type"):  # noqa: A001
    """The credential of the connection is not good, or not any more; the connection closes."""

    errors: list[Error]


class SubscribeSuccess(Struct, tag="subscribe_success", tag_field="type"):
    """What the subscription shows follows, never comes before."""

    id: str


class SubscribeError(Struct, tag="subscribe_error", tag_field="type"):
    """There is no such subscription, or none any more."""

    id: str
    errors: list[Error]


class UnsubscribeSuccess(Struct, tag="unsubscribe_success", tag_field="type"):
    """Nothing with this id comes any more."""

    id: str


class UnsubscribeError(Struct, tag="unsubscribe_error", tag_field="type"):
    """No subscription of this connection has that id."""

    id: str
    errors: list[Error]


class PublishSuccess(Struct, tag="publish_success", tag_field="type", omit_defaults=True):
    """What became of each event, where at least one succeeded. `results` comes if it was asked for."""

    id: str
    successful: list[Accepted]
    failed: list[Failed]
    results: list[Result | None] | None = None


class PublishError(Struct, tag="publish_error", tag_field="type"):
    """The publish was refused as a whole, or every event of it failed: one error each."""

    id: str
    errors: list[Error]


class AnyError(Struct, tag="error", tag_field="type", omit_defaults=True):
    """The answer to what is no message of this protocol."""

    errors: list[Error]
    id: str | None = None


class Data(Struct, tag="data", tag_field="type"):
    """An event of a subscription, as JSON text: a snapshot, or on a relay channel what was published."""

    id: str
    event: str


SENT = (
    ConnectionAck | KeepAlive | ConnectionError | SubscribeSuccess | SubscribeError | Data | UnsubscribeSuccess
    | UnsubscribeError | PublishSuccess | PublishError | AnyError
)  # fmt: skip
"""Every frame that the server sends."""

_ANSWERS: dict[type[Struct], tuple[type[Struct], ...]] = {
    ConnectionInit: (ConnectionAck, ConnectionError),
    Subscribe: (SubscribeSuccess, SubscribeError),
    Unsubscribe: (UnsubscribeSuccess, UnsubscribeError),
    Publish: (PublishSuccess, PublishError),
}
_UNASKED: dict[str, tuple[type[Struct], str]] = {
    "keepAlive": (KeepAlive, "The connection lives."),
    "deliver": (Data, "A snapshot of a board, or an event of a relay channel."),
    "complain": (AnyError, "What came was no message."),
}
_BOARD_EVENTS = (BoardEvent, Remove, *get_args(Control))
"""What `events` of a publish on a board channel may hold; `Snapshot` is what `event` of `data` does."""


def document(base: str) -> dict[str, Any]:
    """The document of a server at ``base``, as http://127.0.0.1:8000."""
    scheme, _, host = base.partition("://")
    frames = (*_ANSWERS, *get_args(SENT))
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "leaderboard",
            "version": __version__,
            "description": "Scores in, rankings out, over one WebSocket that speaks AWS AppSync Events. `view` of a"
            " subscribe and `results` of a publish are extensions of it.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "here": {
                "host": host,
                "protocol": "wss" if scheme == "https" else "ws",
                "description": "Offer the sub-protocols `aws-appsync-event-ws` and `header-` with the base64url of"
                ' `{"host": "…", "x-api-key": "…"}`, or send the credential as a header.',
                "security": [
                    {"$ref": "#/components/securitySchemes/key"},
                    {"$ref": "#/components/securitySchemes/token"},
                ],
            }
        },
        "channels": {
            "realtime": {
                "address": PATH,
                "title": "The one WebSocket",
                "messages": {_name(each): _ref("messages", _name(each)) for each in frames},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            }
        },
        "operations": {**_conversations(), **_announcements()},
        "components": {
            "messages": {_name(each): _message(each) for each in frames},
            "schemas": schemas(),
            "securitySchemes": {
                "key": {"type": "httpApiKey", "name": "x-api-key", "in": "header"},
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    }


def schemas() -> dict[str, Any]:
    """JSON schemas of all frames and of the events inside them, by name."""
    described = (*_ANSWERS, *get_args(SENT), *_BOARD_EVENTS, Snapshot)
    found = msgspec.json.schema_components(described, ref_template=_SCHEMA)[1]
    text = {"type": "string", "contentMediaType": "application/json"}
    inside = {"anyOf": [_ref("schemas", event.__name__) for event in _BOARD_EVENTS]}
    found["Publish"]["properties"]["events"]["items"] = {**text, "x-content-schema": inside}
    snapshot = {**text, "x-content-schema": _ref("schemas", Snapshot.__name__)}
    found["Data"]["properties"]["event"] = snapshot
    return found


def _conversations() -> dict[str, Any]:
    """What a client says, each with the answers to it."""
    return {
        _name(asked): {
            "action": "receive",
            "channel": {"$ref": "#/channels/realtime"},
            "summary": _first_line(asked),
            "messages": [_spoken(asked)],
            "reply": {
                "channel": {"$ref": "#/channels/realtime"},
                "messages": [_spoken(answer) for answer in answers],
            },
        }
        for asked, answers in _ANSWERS.items()
    }


def _announcements() -> dict[str, Any]:
    """What the server says unasked."""
    return {
        name: {
            "action": "send",
            "channel": {"$ref": "#/channels/realtime"},
            "summary": summary,
            "messages": [_spoken(frame)],
        }
        for name, (frame, summary) in _UNASKED.items()
    }


def _message(frame: type[Struct]) -> dict[str, Any]:
    return {
        "name": frame.__struct_config__.tag,
        "summary": _first_line(frame),
        "payload": _ref("schemas", frame.__name__),
    }


def _name(frame: type[Struct]) -> str:
    name = frame.__name__
    return name[0].lower() + name[1:]


def _first_line(frame: type[Struct]) -> str:
    return (frame.__doc__ or "").partition("\n")[0].replace("``", "`")


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _spoken(frame: type[Struct]) -> dict[str, str]:
    return {"$ref": f"#/channels/realtime/messages/{_name(frame)}"}
