"""Which tokens are not good any more, for all processes: the first partition has the list, and each process a copy.

The change log tells how often the list was changed. A server that comes back empty gets it from those who remember.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leaderboard.engines import wire
from leaderboard.engines.servers import Servers
from leaderboard.errors import Refusal


class Revocations:
    """The copy. ``revoked`` is told of each token that came into it, and until when."""

    def __init__(self, servers: Servers, revoked: Callable[[str, float], None]) -> None:
        self._servers = servers
        self._revoked = revoked
        self._in_force: dict[str, float] = {}
        self._changes = 0
        """How often the list had been changed when it was last asked for."""

    def revoke(self, token_id: str, until: float, done: Callable[[Refusal | None], None]) -> None:
        """Put a token on the list."""

        def answered(answer: Any) -> None:
            if isinstance(answer, Refusal):
                done(answer)
                return
            self._take(answer)
            done(None)

        self._ask([(token_id, until)], answered)

    def look(self, changes: int) -> None:
        """Ask for the list if it was changed so often, and not when it was last asked for."""
        if changes != self._changes:
            self._changes = changes
            self._ask([], self._take)

    def tell_again(self) -> None:
        """The server may not know any more what it was told."""
        if self._in_force:
            self._ask(list(self._in_force.items()), self._take)

    def _ask(self, tokens: list[tuple[str, float]], answered: Callable[[Any], None]) -> None:
        partition = self._servers.partitions[0]
        ask = wire.encode(self._servers.request(tokens=tokens))
        partition.link.run("revoke", partition.base, ask, answered)

    def _take(self, answer: Any) -> None:
        if isinstance(answer, Refusal):
            self._changes = -1  # asked for again
            return
        in_force = dict(wire.revoked_of(answer))
        for token, until in in_force.items():
            if self._in_force.get(token) != until:
                self._revoked(token, until)
        self._in_force = in_force
