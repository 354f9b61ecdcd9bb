"""A custom authorizer: the operator's own function says whether a token may, as AppSync's Lambda authorizers do.

    def authorize(event):                                   # authorizer = "rules:authorize" in the settings
        if event["authorizationToken"] != "open sesame":
            return {"isAuthorized": False}
        return {"isAuthorized": True, "handlerContext": {"role": "player", "player": "ann"}, "ttlOverride": 60}

It is asked for each operation, with the request that AppSync would send. Its yes is worth that one operation on that
one channel. ``handlerContext`` is there for handlers; of it ``role`` (scorekeeper, if it says nothing: in AppSync a yes
is for any event) and ``player`` count here too.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from leaderboard import channels
from leaderboard.errors import Refusal, Unauthorized
from leaderboard.functions import Function, Running, imported
from leaderboard.settings import ClaimedRole, Settings

Operation = Literal["EVENT_CONNECT", "EVENT_SUBSCRIBE", "EVENT_PUBLISH"]

MAX_TOKEN = 8192
"""Characters of a token, as of any: `oidc` has the reason."""
MAX_TTL = 3600.0
"""Seconds that an answer is good for at most, as with AppSync."""


class Context(msgspec.Struct, frozen=True):
    """What this server reads of ``handlerContext``."""

    role: ClaimedRole = "scorekeeper"
    player: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What an authorizer said; ``ttl`` in seconds."""

    authorized: bool
    context: Context
    said: Mapping[str, Any]
    ttl: float


class _Response(msgspec.Struct):
    isAuthorized: bool  # noqa: N815, AppSync's name
    handlerContext: dict[str, Any] | None = None  # noqa: N815
    ttlOverride: float | None = None  # noqa: N815


class Authorizer:
    """The function that is configured. Raises `ConfigError` if it cannot be imported."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._running = Running()
        self._ttl = settings.authorizer_ttl
        self._function = Function(
            name,
            imported(name, "authorizer"),
            settings.authorizer_timeout,
            self._running,
            kind="authorizer",
        )

    def ask(
        self,
        token: str,
        operation: Operation,
        channel: str | None,
        headers: Mapping[str, str],
        done: Callable[[Answer | Refusal], None],
    ) -> None:
        """Ask about one operation; ``done`` runs once, before this returns if the function is a plain one."""
        event = {
            "authorizationToken": token,
            "requestContext": {
                "apiId": "leaderboard",
                "accountId": "",
                "requestId": str(uuid.uuid4()),
                "operation": operation,
                "channelNamespaceName": _namespace(channel),
                "channel": channel,
            },
            "requestHeaders": dict(headers),
        }
        self._function.ask(event, lambda answer: done(self._read(answer)))

    async def stop(self) -> None:
        """Give those that are being asked a moment, then give them up."""
        await self._running.stop()

    def _read(self, answer: object) -> Answer | Refusal:
        if isinstance(answer, Unauthorized):
            return Unauthorized()  # its own words might tell what exists
        if isinstance(answer, Refusal):
            return answer
        try:
            response = msgspec.convert(answer, _Response)
            said = response.handlerContext or {}
            context = msgspec.convert(said, Context)
        except (msgspec.ValidationError, RecursionError):
            return self._function.blame("returned something else than an authorizer's answer")
        ttl = self._ttl if response.ttlOverride is None else response.ttlOverride
        return Answer(response.isAuthorized, context, said, min(max(ttl, 0.0), MAX_TTL))


def _namespace(channel: str | None) -> str | None:
    return None if channel in (None, channels.EVERYTHING) else channels.namespace(channel)
