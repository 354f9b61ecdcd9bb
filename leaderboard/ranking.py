"""Entries in their order, and every way to look at them.

Two structures say the same thing. ``entries`` maps a player to its entry; ``order`` is a sorted list of
``(key, seq, player)``, where ``key`` is the score, negated when more is better, and ``seq`` is the moment at which the
present score was reached. So the better score stands first, and of equals who got there first; ids and names never
decide. An update removes the old tuple, changes the entry, and adds the new tuple, in that order. An entry that is on
the shelf is in no order: it has a score, but no place. `Ranking.check` proves that both agree.

Why tuples: one integer per place (key and ``seq`` folded) or sixteen bytes are as fast up to 10,000 entries and save a
tenth of the memory; at a million their updates take 8 µs instead of 13. They need a second index from place to player,
and doubles folded into an integer by their bits. Load factors of 200 to 4,000 differ by less than that. A million
entries take about 250 bytes each, ids included.

No operation is linear in the number of entries but `Ranking.copy`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from sortedcontainers import SortedList

from leaderboard.settings import MAX_SCORE

Place = tuple[float, int, str]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader wants to see of a board. Equal views share one encoded snapshot.

    ``top`` rows from ``offset`` (0 = no such list), ``radius`` rows on both sides of the player ``around``, and the
    players ``of``, each list in board order. ``live`` sees behind what is frozen; ``round`` is a past one.
    """

    top: int = 0
    offset: int = 0
    around: str | None = None
    radius: int = 2
    of: tuple[str, ...] | None = None
    live: bool = False
    round: int | None = None

    @property
    def personal(self) -> bool:
        """Whether few others can share this view."""
        return self.around is not None or self.of is not None


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a ranking, as it goes over the wire.

    ``rank`` follows the namespace's tie rule, ``position`` is the ordinal place; both start at 1. ``percentile`` is the
    share, 0 to 1 in four decimals, of entries that are strictly worse; only rows of ``around`` and ``of`` carry it.
    """

    rank: int
    position: int
    player: str
    name: str | None = None
    score: int | float
    meta: msgspec.Raw | None = None
    percentile: float | None = None


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A board through one view; a list is None where the view did not ask for it.

    ``version`` and ``total`` are those of what the view shows, which is not the newest while that is frozen.
    """

    version: int = 0
    total: int = 0
    rows: list[Row] | None = None
    around: list[Row] | None = None
    of: list[Row] | None = None


class Entry:
    """A player's score and what is known of it. ``beat`` is when it was last active (see `presence`)."""

    __slots__ = ("beat", "key", "meta", "name", "seq", "shelved")

    def __init__(self, key: float, seq: int) -> None:
        self.key = key
        self.seq = seq
        self.name: str | None = None
        self.meta: str | None = None
        self.beat = -1
        self.shelved = False

    def copy(self) -> Entry:
        """The same once more."""
        twin = Entry(self.key, self.seq)
        twin.name, twin.meta, twin.beat, twin.shelved = (
            self.name,
            self.meta,
            self.beat,
            self.shelved,
        )
        return twin


class Ranking:
    """Entries by player and in order. ``ordinal`` numbers equals 1, 2, 3 instead of 1, 1, 3."""

    __slots__ = ("dropped", "entries", "order", "ordinal", "sign", "veil")

    def __init__(self, sign: float, *, ordinal: bool) -> None:
        self.sign = sign
        """What makes a key of a score: -1 where more is better."""
        self.ordinal = ordinal
        self.entries: dict[str, Entry] = {}
        self.order: SortedList[Any] = SortedList()
        self.dropped = 0
        """Entries behind the last that are not kept, but counted."""
        self.veil: tuple[Any, ...] = ()
        """The first place that views show: what stands before it is veiled, also what comes there later."""

    @property
    def total(self) -> int:
        """Entries that have a place."""
        return len(self.order) + self.dropped

    @property
    def veiled(self) -> int:
        """Places at the top that no view shows."""
        return self.order.bisect_left(self.veil) if self.veil else 0

    # -- changing -----------------------------------------------------------------------------------------------------

    def put(self, player: str, entry: Entry) -> None:
        """Give an entry its place; the player has none yet."""
        self.entries[player] = entry
        if not entry.shelved:
            self.order.add((entry.key, entry.seq, player))

    def move(self, player: str, entry: Entry, key: float, seq: int) -> None:
        """Change an entry's place."""
        if entry.shelved:
            entry.key, entry.seq = key, seq
            return
        order = self.order
        order.remove((entry.key, entry.seq, player))
        entry.key, entry.seq = key, seq
        order.add((key, seq, player))

    def take(self, player: str) -> Entry | None:
        """Take an entry out; None if there is none."""
        entry = self.entries.pop(player, None)
        if entry is not None and not entry.shelved:
            self.order.remove((entry.key, entry.seq, player))
        return entry

    def shelve(self, player: str, *, shelved: bool) -> bool:
        """Put an entry on the shelf, or back into the order; whether that changed anything."""
        entry = self.entries.get(player)
        if entry is None or entry.shelved == shelved:
            return False
        entry.shelved = shelved
        place = (entry.key, entry.seq, player)
        if shelved:
            self.order.remove(place)
        else:
            self.order.add(place)
        return True

    def cover(self, places: int) -> None:
        """Show nothing of so many places at the top."""
        if not places:
            self.veil = ()
        else:
            self.veil = self.order[places] if places < len(self.order) else (math.inf,)

    def copy(self, count: int | None = None) -> Ranking:
        """The first ``count`` entries, or all that have a place, as they are now."""
        twin = Ranking(self.sign, ordinal=self.ordinal)
        places = list(self.order.islice(0, count))
        twin.order.update(places)
        twin.entries = {player: self.entries[player].copy() for _, _, player in places}
        twin.dropped = self.total - len(places)
        return twin

    # -- looking ------------------------------------------------------------------------------------------------------

    def score(self, player: str) -> float | None:
        """The player's present score, or None."""
        entry = self.entries.get(player)
        return None if entry is None else self.sign * entry.key

    def rank(self, player: str) -> int | None:
        """The player's rank, or None."""
        entry = self._placed(player)
        if entry is None:
            return None
        return self._rank(entry.key, self._position(player, entry))

    def window(self, view: View, version: int) -> Window:
        """What a view shows."""
        return Window(
            version=version,
            total=self.total,
            rows=self.top(view.top, view.offset) if view.top else None,
            around=None if view.around is None else self.around(view.around, view.radius),
            of=None if view.of is None else self.of(view.of),
        )

    def top(self, count: int, offset: int = 0) -> list[Row]:
        """``count`` rows from the ``offset``-th on."""
        return self._rows(offset, offset + count)

    def around(self, player: str, radius: int) -> list[Row]:
        """The player's row and up to ``radius`` on both sides; empty if the player has none."""
        entry = self._placed(player)
        if entry is None:
            return []
        index = self._position(player, entry) - 1
        if index < self.veiled:
            return []
        return self._rows(max(0, index - radius), index + radius + 1, percentile=True)

    def of(self, players: Sequence[str]) -> list[Row]:
        """The rows of those players that have one."""
        places = sorted(
            (entry.key, entry.seq, player)
            for player in players
            if (entry := self._placed(player)) is not None
        )
        return [
            self._row(place, position, self._rank(place[0], position), percentile=True)
            for place in places
            if place >= self.veil
            for position in (self.order.bisect_left(place) + 1,)
        ]

    def row(self, player: str) -> Row | None:
        """The player's row; None for one that has no place."""
        rows = self.of([player])
        return rows[0] if rows else None

    def _placed(self, player: str) -> Entry | None:
        entry = self.entries.get(player)
        return None if entry is None or entry.shelved else entry

    def _rows(self, start: int, stop: int, *, percentile: bool = False) -> list[Row]:
        rows: list[Row] = []
        key, rank = math.nan, 0
        start = max(start, self.veiled)
        if start >= stop:
            return rows
        for position, place in enumerate(self.order.islice(start, stop), start + 1):
            if place[0] != key:
                # Within a tie the rank stays; only the first row of a window may begin inside one.
                key = place[0]
                rank = position if rows else self._rank(key, position)
            elif self.ordinal:
                rank = position
            rows.append(self._row(place, position, rank, percentile=percentile))
        return rows

    def _row(self, place: Place, position: int, rank: int, *, percentile: bool) -> Row:
        key, _, player = place
        entry = self.entries[player]
        return Row(
            rank=rank,
            position=position,
            player=player,
            name=entry.name,
            score=number(self.sign * key),
            meta=None if entry.meta is None else msgspec.Raw(entry.meta.encode()),
            percentile=self._percentile(key) if percentile else None,
        )

    def _position(self, player: str, entry: Entry) -> int:
        return self.order.bisect_left((entry.key, entry.seq, player)) + 1

    def _rank(self, key: float, position: int) -> int:
        if self.ordinal:
            return position
        return self.order.bisect_left((key,)) + 1  # a shorter tuple stands before its extensions

    def _percentile(self, key: float) -> float:
        worse = self.total - self.order.bisect_left((key, math.inf))
        # Rounded down: nobody is better than all, himself included.
        return (worse * 10_000 // self.total) / 10_000

    def check(self) -> None:
        """Assert that order and entries tell the same; for tests."""
        self.order._check()  # type: ignore[attr-defined]
        placed = {player: entry for player, entry in self.entries.items() if not entry.shelved}
        assert list(self.order) == sorted(
            (entry.key, entry.seq, player) for player, entry in placed.items()
        )
        seqs = [entry.seq for entry in self.entries.values()]
        assert len(set(seqs)) == len(seqs)
        assert all(abs(entry.key) <= MAX_SCORE for entry in self.entries.values())


def number(score: float) -> int | float:
    """A score as it is printed: integral ones as integers, -0 as 0.

    >>> number(120.0), number(-0.0), number(0.5)
    (120, 0, 0.5)
    """
    return int(score) if score.is_integer() else score
