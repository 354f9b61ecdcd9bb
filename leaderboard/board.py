"""One leaderboard: entries in canonical order, and every way to look at them.

Two structures say the same thing. ``_entries`` maps a player to its entry; ``_order`` is a sorted list of
``(key, seq, player)``, where ``key`` is the score, negated when more is better, and ``seq`` is the moment at which the
present score was reached. So the better score stands first, and of equals who got there first; ids and names never
decide. An update removes the old tuple, changes the entry, and adds the new tuple, in that order; `Board._check` proves
that both still agree.

Nothing here knows the time (it comes in as ``now``, seconds on the engine's clock), the network or another board. No
operation but `Board.rows_after` over a whole board is linear in the number of entries.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sortedcontainers import SortedList

from leaderboard.errors import BoardFull, Refusal, ScoreOutOfRange, TooOld, WrongRound
from leaderboard.retries import SENDERS, Retries, Seen
from leaderboard.settings import MAX_SCORE, Namespace


class Score(msgspec.Struct, frozen=True, gc=False):
    """A player's score: the new one, or what is added to it where the mode is ``sum``."""

    player: str
    score: float
    name: str | None = None
    meta: str | None = None
    """Canonical JSON text of an object."""
    by: str = ""
    n: int | None = None
    round: int | None = None


class Remove(msgspec.Struct, frozen=True, gc=False):
    """Take a player's entry off the board; without effect if there is none."""

    player: str


Event = Score | Remove


class Applied(msgspec.Struct, frozen=True, gc=False):
    """What became of one event: the player's score after it (none after a removal)."""

    player: str
    score: float | None
    changed: bool = False
    duplicate: bool = False


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader wants to see of a board. Equal views share one encoded snapshot.

    ``top`` rows from ``offset`` (0 = no such list), ``radius`` rows on both sides of the player ``around``, and the
    players ``of``, each list in board order.
    """

    top: int = 0
    offset: int = 0
    around: str | None = None
    radius: int = 2
    of: tuple[str, ...] | None = None

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
    """A board through one view; a list is None where the view did not ask for it."""

    rows: list[Row] | None = None
    around: list[Row] | None = None
    of: list[Row] | None = None


class _Entry:
    __slots__ = ("key", "meta", "name", "seq")

    def __init__(self, key: float, seq: int) -> None:
        self.key = key
        self.seq = seq
        self.name: str | None = None
        self.meta: str | None = None


_Place = tuple[float, int, str]


class Board:
    """The ranking of one board channel, from its first event to its end.

    >>> board = Board(Namespace(), epoch="e1")
    >>> _ = board.apply([Score(player="ann", score=7.0), Score(player="bob", score=7.0)], now=0.0)
    >>> [(row.rank, row.player, row.score) for row in board.view(View(top=10)).rows]
    [(1, 'ann', 7), (1, 'bob', 7)]
    """

    def __init__(self, rules: Namespace, epoch: str) -> None:
        self.rules = rules
        self.epoch = epoch
        self.version = 0
        self.round = 1
        self._sign = 1.0 if rules.order == "asc" else -1.0
        self._mode = rules.mode
        self._least, self._most = rules.min_score, rules.max_score
        self._seq = 0
        self._entries: dict[str, _Entry] = {}
        self._order: SortedList[Any] = SortedList()
        self._retries = Retries(capacity=rules.max_entries * SENDERS)

    def __len__(self) -> int:
        return len(self._entries)

    # -- in -----------------------------------------------------------------------------------------------------------

    def apply(
        self, events: Iterable[Event], now: float, capacity: float = math.inf
    ) -> list[Applied | Refusal]:
        """Apply events in order, each by itself; one version step if anything changed.

        ``capacity`` is the number of entries up to which new players are taken, where the server as a whole allows
        fewer than the namespace. An event that breaks a rule changes nothing and is answered by its `Refusal`.
        """
        room = min(capacity, self.rules.max_entries)
        outcomes: list[Applied | Refusal] = []
        changed = False
        for event in events:
            try:
                applied = (
                    self._score(event, now, room)
                    if isinstance(event, Score)
                    else self._remove(event)
                )
                if applied.changed:
                    changed = True
                outcomes.append(applied)
            except Refusal as refusal:
                # Its traceback would hold this list and the variables of all callers: a cycle per refused event.
                outcomes.append(refusal.with_traceback(None))
        if changed:
            self.version += 1
        return outcomes

    def _score(self, event: Score, now: float, room: float) -> Applied:
        player = event.player
        n = event.n
        if n is not None:
            # Before any other rule: what was once applied is acknowledged again, whatever the rules say by now.
            seen = self._retries.look_up(player, event.by, n, now)
            if seen is Seen.REPEAT:
                return Applied(player, self.score(player), duplicate=True)
            if seen is Seen.TOO_OLD:
                raise TooOld(f"n = {n} is too far below the highest n seen from this sender")
        if event.round is not None and event.round != self.round:
            raise WrongRound(f"this is round {self.round}, not {event.round}")
        if not self._least <= event.score <= self._most:
            raise ScoreOutOfRange(
                f"score must be from {number(self._least)} to {number(self._most)}"
            )
        entry = self._entries.get(player)
        if entry is None:
            if len(self._entries) >= room:
                raise BoardFull(f"no room for a new player beside the {len(self._entries)} here")
            self._seq = seq = self._seq + 1
            entry = self._entries[player] = _Entry(self._sign * event.score, seq)
            self._order.add((entry.key, seq, player))
            changed = True
        else:
            changed = self._rescore(player, entry, event.score)
        if event.name is not None and event.name != entry.name:
            entry.name, changed = event.name, True
        if event.meta is not None and event.meta != entry.meta:
            entry.meta, changed = event.meta, True
        if n is not None:
            self._retries.note(player, event.by, n, now)
        return Applied(player, self._sign * entry.key, changed)

    def _rescore(self, player: str, entry: _Entry, score: float) -> bool:
        key = self._sign * score
        before = entry.key
        if self._mode == "sum":
            key += before
            if not -MAX_SCORE <= key <= MAX_SCORE:
                raise ScoreOutOfRange("the sum would leave the range of exact numbers, 2^53-1")
        elif self._mode == "best" and key >= before:
            return False
        if key == before:
            return False
        order = self._order
        order.remove((before, entry.seq, player))
        self._seq = seq = self._seq + 1
        entry.key, entry.seq = key, seq
        order.add((key, seq, player))
        return True

    def _remove(self, event: Remove) -> Applied:
        entry = self._entries.pop(event.player, None)
        if entry is None:
            return Applied(event.player, None)
        self._order.remove((entry.key, entry.seq, event.player))
        return Applied(event.player, None, changed=True)

    # -- out ----------------------------------------------------------------------------------------------------------

    def score(self, player: str) -> float | None:
        """The player's present score, or None."""
        entry = self._entries.get(player)
        return None if entry is None else self._sign * entry.key

    def rank(self, player: str) -> int | None:
        """The player's rank by the namespace's tie rule, or None."""
        entry = self._entries.get(player)
        if entry is None:
            return None
        return self._rank(entry.key, self._position(player, entry))

    def view(self, view: View) -> Window:
        """The board through a view."""
        return Window(
            rows=self.top(view.top, view.offset) if view.top else None,
            around=None if view.around is None else self.around(view.around, view.radius),
            of=None if view.of is None else self.of(view.of),
        )

    def top(self, count: int, offset: int = 0) -> list[Row]:
        """``count`` rows from the ``offset``-th on."""
        return self._rows(offset, offset + count)

    def around(self, player: str, radius: int) -> list[Row]:
        """The player's row and up to ``radius`` on both sides; empty if the player has none."""
        entry = self._entries.get(player)
        if entry is None:
            return []
        index = self._position(player, entry) - 1
        return self._rows(max(0, index - radius), index + radius + 1, percentile=True)

    def of(self, players: Sequence[str]) -> list[Row]:
        """The rows of those players that have one."""
        places = sorted(
            (entry.key, entry.seq, player)
            for player in players
            if (entry := self._entries.get(player)) is not None
        )
        return [
            self._row(place, position, self._rank(place[0], position), percentile=True)
            for place in places
            for position in (self._order.bisect_left(place) + 1,)
        ]

    def _rows(self, start: int, stop: int, *, percentile: bool = False) -> list[Row]:
        rows: list[Row] = []
        key, rank = math.nan, 0
        for position, place in enumerate(self._order.islice(start, stop), start + 1):
            if place[0] != key:
                # Within a tie the rank stays; only the first row of a window may begin inside one.
                key = place[0]
                rank = position if rows else self._rank(key, position)
            elif self.rules.ties == "ordinal":
                rank = position
            rows.append(self._row(place, position, rank, percentile=percentile))
        return rows

    def _row(self, place: _Place, position: int, rank: int, *, percentile: bool) -> Row:
        key, _, player = place
        entry = self._entries[player]
        return Row(
            rank=rank,
            position=position,
            player=player,
            name=entry.name,
            score=number(self._sign * key),
            meta=None if entry.meta is None else msgspec.Raw(entry.meta.encode()),
            percentile=self._percentile(key) if percentile else None,
        )

    def _position(self, player: str, entry: _Entry) -> int:
        return self._order.bisect_left((entry.key, entry.seq, player)) + 1

    def _rank(self, key: float, position: int) -> int:
        if self.rules.ties == "ordinal":
            return position
        return self._order.bisect_left((key,)) + 1  # a shorter tuple stands before its extensions

    def _percentile(self, key: float) -> float:
        total = len(self._order)
        worse = total - self._order.bisect_left((key, math.inf))
        return (
            worse * 10_000 // total
        ) / 10_000  # rounded down: nobody is better than all, himself included

    def _check(self) -> None:
        """Assert that order and entries tell the same; for tests."""
        self._order._check()  # type: ignore[attr-defined]
        assert len(self._order) == len(self._entries) <= self.rules.max_entries
        assert list(self._order) == sorted(
            (entry.key, entry.seq, player) for player, entry in self._entries.items()
        )
        seqs = [entry.seq for entry in self._entries.values()]
        assert len(set(seqs)) == len(seqs)
        assert max(seqs, default=0) <= self._seq
        assert all(abs(entry.key) <= MAX_SCORE for entry in self._entries.values())
        self._retries._check()


def number(score: float) -> int | float:
    """A score as it is printed: integral ones as integers, -0 as 0.

    >>> number(120.0), number(-0.0), number(0.5)
    (120, 0, 0.5)
    """
    return int(score) if score.is_integer() else score
