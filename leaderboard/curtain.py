"""What everybody sees of a board that is frozen, until it is revealed.

Freezing copies the order. Revealing takes a copy again, of the board as it has become, and shows it from the bottom up:
the best places are veiled at first, and the veil is lifted a place at a time, by a host or by the clock. Since no score
reaches that copy, all screens show the same whenever they came; only what a host takes out is taken out here too.
"""

from __future__ import annotations

import math

from leaderboard.ranking import Ranking


class Curtain:
    """A copy that is shown, and the version that it stands for. Times are seconds on the engine's clock.

    One that is to be revealed begins with so many places ``veiled``.
    """

    __slots__ = ("every", "ranking", "revealing", "step_at", "version")

    def __init__(self, live: Ranking, version: int, veiled: int | None = None) -> None:
        self.ranking = live.copy()
        self.version = version
        self.revealing = veiled is not None
        self.every = 0.0
        self.step_at = math.inf
        """When the next place is shown without being asked for."""
        if veiled is not None:
            self.ranking.cover(veiled)

    @property
    def fallen(self) -> bool:
        """Whether all of it is revealed: then there is nothing left to hide."""
        return self.revealing and not self.ranking.veiled

    def lift(self, places: int) -> None:
        """Show so many places more."""
        self.ranking.cover(max(0, self.ranking.veiled - places))
