"""What everybody sees of a board that is frozen, until it is revealed.

Freezing copies the order. Revealing takes a copy again, of the board as it has become, and shows it from the bottom up:
the best places are veiled at first, and the veil is lifted a place at a time, by a host or by the clock. Since that
copy does not change, all screens show the same whenever they came.
"""

from __future__ import annotations

import math

from leaderboard.ranking import Entry, Ranking


class Curtain:
    """The copy that is shown, and the version that it stands for. Times are seconds on the engine's clock."""

    __slots__ = ("every", "ranking", "revealing", "step_at", "version")

    def __init__(self, live: Ranking, version: int) -> None:
        self.ranking = live.copy()
        self.version = version
        self.revealing = False
        self.every = 0.0
        self.step_at = math.inf
        """When the next place is shown without being asked for."""

    def begin(self, live: Ranking, places: int) -> None:
        """Show the board as it has become, but for so many places at the top."""
        self.ranking = live.copy()
        self.ranking.veil = min(places, self.ranking.total)
        self.revealing = True

    def lift(self, places: int, version: int) -> bool:
        """Show so many places more; whether that was the last of them."""
        self.ranking.veil = max(0, self.ranking.veil - places)
        self.version = version
        return not self.ranking.veil

    def take(self, player: str, version: int) -> Entry | None:
        """Take a row out here too, so that what must not be seen is not seen."""
        rank = self.ranking
        entry = rank.entries.get(player)
        if entry is None:
            return None
        if rank.order.bisect_left((entry.key, entry.seq, player)) < rank.veil:
            rank.veil -= 1
        self.version = version
        return rank.take(player)

    def put(self, player: str, entry: Entry, version: int) -> None:
        """Put it back."""
        rank = self.ranking
        rank.put(player, entry)
        if rank.order.bisect_left((entry.key, entry.seq, player)) < rank.veil:
            rank.veil += 1
        self.version = version
