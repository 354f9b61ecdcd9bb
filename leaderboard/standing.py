"""Rows that explain themselves: who has moved, how far it is to the row above, why two of one score stand as they do.

All of it comes from the snapshots that this client saw, so that what is told always fits what is shown. Nothing is
guessed: where a snapshot does not tell, nothing is said. static/js/standing.js finds the same in a browser, and
tests/standings.json holds the two together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Literal, Protocol, TypeVar

from leaderboard.movement import Movement, Placed

Order = Literal["desc", "asc"]
DIGITS = 15
"""Significant digits that every double keeps: what differs behind them is noise of binary fractions."""


class Ranked(Placed, Protocol):
    """A row of a ranking, of whatever type."""

    @property
    def name(self) -> str | None: ...
    @property
    def rank(self) -> int: ...
    @property
    def score(self) -> int | float: ...
    @property
    def percentile(self) -> float | None: ...


class Numbered(Protocol):
    """A round."""

    @property
    def number(self) -> int: ...


class Seen(Protocol):
    """A snapshot of one board."""

    @property
    def round(self) -> Numbered: ...
    @property
    def rows(self) -> Sequence[Ranked]: ...
    @property
    def around(self) -> Sequence[Ranked]: ...
    @property
    def of(self) -> Sequence[Ranked]: ...
    @property
    def total(self) -> int: ...
    @property
    def reset(self) -> bool: ...


R = TypeVar("R", bound=Ranked)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one row stands. ``None`` where what this client saw does not tell."""

    row: Ranked
    total: int
    """Entries of the board."""
    above: Ranked | None = None
    """The row right above, if it is in sight."""
    gap: int | float | None = None
    """Points between the two; 0 where they have the same score, or differ by less than a double can be trusted."""
    to_pass: int | None = None
    """What would have to be added to the score to stand above: one point more than the gap, since who is there first
    stays above at equal scores; negative where less is better. Only between whole scores: of others nobody knows the
    smallest step."""
    tied: bool = False
    """The row above has the very same score, and reached it earlier."""
    ahead: int | None = None
    """Percent of the board's entries, rounded down, whose scores are worse. Rows of ``around`` and ``of`` know."""
    moved: int = 0
    """Places won (positive) or lost within the last seconds."""

    @property
    def reason(self) -> str:
        """Why it stands below the row above: ``12 points to 16th``; empty where that cannot be known."""
        if self.tied:
            return "same score, reached later"
        if not self.gap or self.above is None:
            return ""
        return f"{_points(self.gap)} to {ordinal(self.above.rank)}"

    @property
    def passing(self) -> str:
        """What it takes to stand above: ``13 more points to pass``; empty where that cannot be known."""
        if self.to_pass is None:
            return ""
        more = "more " if self.to_pass > 0 else "fewer "
        return f"{_points(abs(self.to_pass), more)} to pass"

    def sentence(self, subject: str = "You are") -> str:
        """The place in words: ``You are 17th of 63 · 12 points to 16th · ahead of 73%``."""
        return " · ".join(phrases(self, subject))


class Standings:
    """Explains the rows of the snapshot that it was shown last.

    >>> from leaderboard.client import Round, Row, Snapshot
    >>> ann = Row(rank=1, position=1, player="ann", score=120)
    >>> bob = Row(rank=2, position=2, player="bob", score=90.5)
    >>> now = Round(number=1, state="open", frozen=False)
    >>> standings = Standings()
    >>> standings.see(Snapshot(channel="/a/b", epoch="e", version=2, round=now, total=2, rows=(ann, bob)))
    >>> standings.of("bob").sentence("Bob is")
    'Bob is 2nd of 2 · 29.5 points to 1st'

    ``order`` says whether more (``desc``) or less (``asc``) is better; unless given, it is read off the rows as soon as
    two of them differ. ``clock`` is seconds that never step. One of these is for one board.
    """

    def __init__(
        self, order: Order | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._told = order
        self._order = order
        self._clock = clock
        self._movement = Movement()
        self._round: int | None = None
        self._standings: dict[str, Standing] = {}

    def see(self, snapshot: Seen) -> None:
        """Explain this one from now on. Each should be shown, in order: movement is found between them, within one
        round."""
        number = snapshot.round.number
        if snapshot.reset or number != (self._round or number):
            self._movement.forget()
        if snapshot.reset:
            self._order = self._told
        self._round = number
        rows = in_order(snapshot.rows, snapshot.around, snapshot.of)
        self._movement.note(self._clock(), rows)
        self._order = self._told or order_of(rows) or self._order
        explained = explain(rows, snapshot.total, self._order)
        self._standings = {each.row.player: each for each in explained}

    def of(self, player: str) -> Standing | None:
        """How a player stands; None if its row is not in sight."""
        found = self._standings.get(player)
        if found is None:
            return None
        return replace(found, moved=self._movement.of(player, found.row.position, self._clock()))

    def __iter__(self) -> Iterator[Standing]:
        """How all that are in sight stand, in their order."""
        return filter(None, map(self.of, self._standings))


def explain(rows: Sequence[R], total: int, order: Order | None) -> list[Standing]:
    """Rows of one snapshot, in their order, each explained by the one above it; without movement."""
    found = []
    before: R | None = None
    for row in rows:
        above = before if before is not None and before.position == row.position - 1 else None
        gap, to_pass = None, None
        if above is not None:
            gap = difference(above.score, row.score)
            if order and _is_whole(above.score) and _is_whole(row.score):
                to_pass = int(gap + 1) if order == "desc" else -int(gap + 1)
        ahead = None if row.percentile is None else _percent(row.percentile)
        tied = above is not None and above.score == row.score
        found.append(Standing(row, total, above, gap, to_pass, tied, ahead))
        before = row
    return found


def phrases(standing: Standing | None, subject: str, *, veiled: bool = False) -> list[str]:
    """A place in words, the most important first: what does not fit somewhere can be left out from the end.

    ``subject`` comes with its verb: "You are", "Ann is". While the best places are ``veiled``, one of them may be that
    of a player who is not in sight.
    """
    if standing is None:
        return [f"{subject} not {'revealed' if veiled else 'on this board'} yet"]
    return [
        f"{subject} {ordinal(standing.row.rank)} of {amount(standing.total)}",
        *filter(None, [standing.reason, standing.passing if standing.tied else ""]),
        *([f"ahead of {standing.ahead}%"] if standing.ahead else []),
    ]


def in_order(*lists: Iterable[R] | None) -> list[R]:
    """The rows of all lists in the order of the board, each player once."""
    rows = {row.player: row for rows in lists for row in rows or ()}
    return sorted(rows.values(), key=lambda row: row.position)


def order_of(rows: Sequence[Ranked]) -> Order | None:
    """Which scores are better, as the rows' own order tells: None if all are equal, or they contradict each other."""
    falls = any(above.score > below.score for above, below in pairwise(rows))
    rises = any(above.score < below.score for above, below in pairwise(rows))
    if falls == rises:
        return None
    return "desc" if falls else "asc"


def difference(one: float, other: float) -> int | float:
    """How far two scores are apart, without the noise of binary fractions.

    >>> difference(0.3, 0.1), difference(0.1 + 0.2, 0.3), difference(120, 7)
    (0.2, 0, 113)
    """
    apart = float(abs(one - other))  # a double beyond 2^53 too, as JavaScript counts
    if not (_is_whole(one) and _is_whole(other)):
        # Sums of fractions differ in digits that nobody ever scored: the larger one says how many count.
        places = DIGITS - 1 - Decimal(max(abs(one), abs(other))).adjusted()
        step = Decimal(1).scaleb(-min(100, max(0, places)))
        apart = float(Decimal(apart).quantize(step, ROUND_HALF_UP))
    return int(apart) if apart.is_integer() else apart


def amount(value: float) -> str:
    """A count or a difference as English writes it: three decimals, or three digits where that would be too few.

    >>> amount(12), amount(1234.5678), amount(0.25), amount(0.00012345)
    ('12', '1,234.568', '0.25', '0.000123')
    """
    written = Decimal(repr(value))  # what browsers round too
    step = Decimal(1).scaleb(-max(3, 2 - written.adjusted()))
    return f"{written.quantize(step, ROUND_HALF_UP):,f}".rstrip("0").rstrip(".")


def ordinal(number: int) -> str:
    """A place as English says it.

    >>> [ordinal(place) for place in (1, 2, 3, 4, 11, 12, 13, 22, 113, 1001)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '22nd', '113th', '1,001st']
    """
    teens = number // 10 % 10 == 1
    suffix = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{suffix}"


def _points(value: float, more: str = "") -> str:
    return f"{amount(value)} {more}{'point' if value == 1 else 'points'}"


def _percent(share: float) -> int:
    """Whole percent, rounded down, so that no one is told too much; nobody is ahead of all, itself included."""
    hundredths = int(
        share * 10_000 + 0.5
    )  # shares come with four decimals: 0.29 is 29 %, not 28.999
    return min(99, hundredths // 100)


def _is_whole(score: float) -> bool:
    return float(score).is_integer()
