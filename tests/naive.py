"""Rankings too plain to be wrong: every place is counted anew at every look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from leaderboard.ranking import Row, number
from leaderboard.settings import Namespace


@dataclass(frozen=True)
class Line:
    """A player's score; who reached it first stands earlier in its list."""

    player: str
    score: float
    name: str | None = None
    meta: str | None = None


@dataclass(frozen=True)
class Standing:
    """Lines, in the order in which their scores were reached, ranked by a namespace's rules.

    The first ``veiled`` places are there, but shown to nobody.
    """

    rules: Namespace
    lines: Sequence[Line]
    veiled: int = 0

    def ranked(self) -> list[Line]:
        """Sorting is stable, so of equals the one that got there first stays first."""
        return sorted(self.lines, key=lambda line: line.score, reverse=self.rules.order == "desc")

    def better_than(self, score: float) -> list[Line]:
        desc = self.rules.order == "desc"
        return [line for line in self.lines if (line.score > score if desc else line.score < score)]

    def rows(self, *, percentile: bool = False) -> list[Row]:
        """All that may be seen."""
        return [
            Row(
                rank=len(self.better_than(line.score)) + 1
                if self.rules.ties == "competition"
                else position,
                position=position,
                player=line.player,
                name=line.name,
                score=number(line.score),
                meta=None if line.meta is None else msgspec.Raw(line.meta.encode()),
                percentile=self._percentile(line.score) if percentile else None,
            )
            for position, line in enumerate(self.ranked(), 1)
            if position > self.veiled
        ]

    def top(self, count: int, offset: int = 0) -> list[Row]:
        return [row for row in self.rows() if offset < row.position <= offset + count]

    def around(self, player: str, radius: int) -> list[Row]:
        rows = self.rows(percentile=True)
        own = next((row.position for row in rows if row.player == player), None)
        return [row for row in rows if own is not None and abs(row.position - own) <= radius]

    def of(self, players: Sequence[str]) -> list[Row]:
        return [row for row in self.rows(percentile=True) if row.player in players]

    def _percentile(self, score: float) -> float:
        as_good = sum(line.score == score for line in self.lines)
        worse = len(self.lines) - len(self.better_than(score)) - as_good
        return math.floor(Fraction(worse, len(self.lines)) * 10_000) / 10_000
