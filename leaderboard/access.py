"""What each operation asks of a credential: the auth modes of its namespace, the role, the channel.

A grant is evaluated for each operation: that of the connection opens the connection and nothing else (AppSync Events
guide, "WebSocket protocol", authorization).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from leaderboard import channels
from leaderboard.authorizer import Operation
from leaderboard.errors import NotAllowed, Unauthorized
from leaderboard.grants import Grant, Role
from leaderboard.settings import OIDC_MODES, AuthMode, Namespace, Settings


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, beside a credential: the site of the page, if it is one; and, for an authorizer, the headers."""

    origin: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a credential is to be good for; ``channel`` is a normalised path, or ``/*``, or None to connect."""

    operation: Operation
    channel: str | None
    modes: frozenset[AuthMode]
    caller: Caller = Caller()


class Access:
    """The rules of the configured modes and namespaces."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who asks, of the headers of a request; kept as long as a connection, so no more than is needed."""
        return Caller(headers.get("origin"), dict(headers) if self._settings.authorizer else {})

    def to_connect(self, caller: Caller) -> Wanted:
        """What a credential has to be good for to open a connection."""
        modes = _alike(self._settings.connection_auth_modes)
        return Wanted("EVENT_CONNECT", None, modes, caller)

    def to_subscribe(self, path: str, rules: Namespace | None, caller: Caller) -> Wanted:
        """What a credential has to be good for to see a channel. Without rules, of any namespace."""
        return Wanted("EVENT_SUBSCRIBE", path, self._subscribing(rules), caller)

    def to_publish(self, path: str, rules: Namespace | None, caller: Caller) -> Wanted:
        """What a credential has to be good for to publish on a channel. Without rules, of any namespace."""
        return Wanted("EVENT_PUBLISH", path, self._publishing(rules), caller)

    def may_connect(self, grant: Grant) -> None:
        """Raises `Unauthorized` unless the grant may open a connection."""
        if grant.mode not in _alike(self._settings.connection_auth_modes):
            raise Unauthorized

    def may_subscribe(self, grant: Grant, path: str, rules: Namespace) -> None:
        """Raises `Unauthorized` unless the grant may see a channel, or all that a wildcard stands for."""
        if grant.mode not in self._subscribing(rules) or not grant.covers(path):
            raise Unauthorized

    def may_publish(self, grant: Grant, path: str, rules: Namespace) -> None:
        """Raises `Unauthorized` unless the grant may publish on a channel: a player has no row on a relay channel."""
        least = Role.PLAYER if rules.kind == "board" else Role.SCOREKEEPER
        if grant.role < least or grant.mode not in self._publishing(rules):
            raise Unauthorized
        if not grant.covers(path):
            raise Unauthorized

    def may_revoke(self, grant: Grant) -> None:
        """Raises `NotAllowed` unless the grant may end tokens, of whatever channel."""
        if grant.role < Role.ADMIN or not grant.covers(channels.EVERYTHING):
            raise NotAllowed("only an admin of all channels may revoke a token")

    def _subscribing(self, rules: Namespace | None) -> frozenset[AuthMode]:
        own = rules and rules.subscribe_auth_modes
        return _alike(own or self._settings.default_subscribe_auth_modes)

    def _publishing(self, rules: Namespace | None) -> frozenset[AuthMode]:
        own = rules and rules.publish_auth_modes
        return _alike(own or self._settings.default_publish_auth_modes)


@lru_cache(maxsize=256)
def _alike(modes: tuple[AuthMode, ...]) -> frozenset[AuthMode]:
    """These modes, and those that are the same by another name."""
    named = frozenset(modes)
    return named | OIDC_MODES if named & OIDC_MODES else named
