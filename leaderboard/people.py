"""The people of a board, as its host sees them: who is hidden, who is banned, and the search for one of them.

Who is hidden or banned is so by id, on the board or not, and from one round to the next.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec

from leaderboard.errors import LimitExceeded
from leaderboard.ranking import Ranking, Row

PEOPLE = 10_000
"""Players that may be hidden, and that may be banned, on one board."""
SEARCHED = 10_000
"""Entries that a search by name looks at: some milliseconds."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A player as a host sees it: ``row`` is None for one that has no place.

    One who is ``away`` is not on the board in this round, and known only for being hidden or banned.
    """

    player: str
    name: str | None
    row: Row | None
    hidden: bool = False
    banned: bool = False
    away: bool = False


class People:
    """Players who are ``hidden`` and ``banned``, by id, with the names by which their host knows them."""

    __slots__ = ("banned", "hidden")

    def __init__(
        self,
        hidden: dict[str, str | None] | None = None,
        banned: dict[str, str | None] | None = None,
    ) -> None:
        self.hidden = hidden or {}
        self.banned = banned or {}

    def hide(self, player: str, live: Ranking) -> bool:
        """Whether it was not hidden; raises `LimitExceeded`."""
        return self._note(self.hidden, player, live, "hidden")

    def show(self, player: str) -> bool:
        """Whether it was hidden."""
        return _forget(self.hidden, player)

    def ban(self, player: str, live: Ranking) -> bool:
        """Whether it was not banned; raises `LimitExceeded`."""
        return self._note(self.banned, player, live, "banned")

    def unban(self, player: str) -> bool:
        """Whether it was banned."""
        return _forget(self.banned, player)

    def _note(self, people: dict[str, str | None], player: str, live: Ranking, what: str) -> bool:
        if player in people:
            return False
        if len(people) >= PEOPLE:
            raise LimitExceeded(f"{PEOPLE} players are {what} here, and no more may be")
        entry = live.entries.get(player)
        known = self.hidden.get(player) or self.banned.get(player)
        people[player] = known if entry is None else entry.name
        return True

    def find(self, live: Ranking, prefix: str, limit: int) -> list[Person]:
        """Players whose name or id begins like ``prefix``, whatever its case, at most ``limit``: of the first
        `SEARCHED` entries as they came, then by id those who are hidden or banned and not there."""
        found = itertools.chain(
            self._on_board(live, prefix.casefold()), self._away(live, prefix.casefold())
        )
        return list(itertools.islice(found, limit))

    def _on_board(self, live: Ranking, prefix: str) -> Iterator[Person]:
        for player, entry in itertools.islice(live.entries.items(), SEARCHED):
            if _begins(prefix, player, entry.name):
                row = live.row(player)
                yield Person(player=player, name=entry.name, row=row, hidden=entry.shelved)

    def _away(self, live: Ranking, prefix: str) -> Iterator[Person]:
        names = {**self.hidden, **self.banned}
        for player in sorted(names.keys() - live.entries.keys()):
            if _begins(prefix, player, names[player]):
                yield Person(
                    player=player,
                    name=names[player],
                    row=None,
                    hidden=player in self.hidden,
                    banned=player in self.banned,
                    away=True,
                )


def _forget(people: dict[str, str | None], player: str) -> bool:
    there = player in people
    people.pop(player, None)
    return there


def _begins(prefix: str, player: str, name: str | None) -> bool:
    return player.casefold().startswith(prefix) or (name or "").casefold().startswith(prefix)
