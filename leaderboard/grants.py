"""What a credential that was verified is good for: its role, its channels, and the rows of a board it may touch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from leaderboard import channels
from leaderboard.errors import BadRequest, NotAllowed
from leaderboard.events import Event, Remove, Score
from leaderboard.settings import AuthMode, ConfigError


class Role(IntEnum):
    """What a credential may do, each including those before it."""

    VIEWER = 1
    """Subscribe, and read over HTTP."""
    PLAYER = 2
    """Publish and remove its own row on its one channel."""
    SCOREKEEPER = 3
    """Publish: any row of a board, any event of a relay channel."""
    HOST = 4
    """Take rows off a board and control it."""
    ADMIN = 5
    """Everything."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A verified credential: role, channel patterns, the auth mode it came by, and an id that is safe to log.

    A token of ours counts as an API key: what accepts keys accepts it. Tokens alone may have a ``player``, and
    ``ends``, in seconds since 1970.
    """

    id: str
    role: Role
    channels: tuple[str, ...]
    mode: AuthMode = "API_KEY"
    player: str | None = None
    ends: float | None = None
    rate: int | None = None
    """Publishes in any second, of all who have it."""
    makers: tuple[str, ...] = ()
    """The ids of the tokens that it goes back to: it ends with the first of them."""
    until: float | None = None
    """When an authorizer has to be asked again, in seconds since 1970; what was opened by then stays open."""
    said: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The claims of an OpenID provider's token, or an authorizer's ``handlerContext``: for handlers."""

    @property
    def lasting(self) -> bool:
        """Whether it is a key, which neither ends nor can be revoked while the server runs."""
        return self.ends is None and self.mode == "API_KEY"

    def covers(self, path: str) -> bool:
        """Whether the grant covers a channel, or the whole of a wildcard."""
        return any(channels.covers(pattern, path) for pattern in self.channels)


def may_touch(grant: Grant, player: str) -> None:
    """Raises `NotAllowed`, the failure of one event, if the row is not that of the player whose token it is."""
    if grant.role is Role.PLAYER and player != grant.player:
        raise NotAllowed("a player may touch no other row than its own")


def may_apply(grant: Grant, event: Event) -> None:
    """Raises `NotAllowed`, the failure of one event, unless the grant may have it applied to a board."""
    if grant.role >= Role.HOST:
        return
    if not isinstance(event, Score | Remove):
        raise NotAllowed("only a host may control a board")
    may_touch(grant, event.player)
    if isinstance(event, Remove) and grant.role is not Role.PLAYER:
        raise NotAllowed("only a host may remove a player")


def configured_channels(name: str, patterns: Iterable[str]) -> tuple[str, ...]:
    """The channels of a credential in the settings; raises `ConfigError` with the setting's name."""
    try:
        return tuple(channels.parse_credential_pattern(pattern) for pattern in patterns)
    except BadRequest as error:
        raise ConfigError(f"{name}.channels: {error.message}") from None
