"""What everybody sees of a frozen board, and of past rounds, as lists of places."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

from tests.naive import Line


@dataclass
class Kept:
    """A line, and when it was reached and last active."""

    since: int
    line: Line
    active: float = -math.inf


@dataclass
class Place:
    """A line that was copied: shown or not yet, and whether it was taken out meanwhile."""

    kept: Kept
    shown: bool = True
    gone: bool = False


@dataclass
class Screen:
    """Places from the best to the worst, and the version at which that changed last."""

    places: list[Place]
    version: int
    revealing: bool = False
    every: float = 0.0
    step_at: float = math.inf

    @classmethod
    def of(cls, ranked: list[Kept], version: int, veiled: int | None = None) -> Screen:
        """A copy as the board is now; one that is to be revealed shows nothing of its first places."""
        places = [Place(replace(kept), shown=n >= (veiled or 0)) for n, kept in enumerate(ranked)]
        return cls(places, version, revealing=veiled is not None)

    def seen(self, hidden: Collection[str]) -> list[Place]:
        """Those that are neither taken out nor hidden."""
        return [
            place
            for place in self.places
            if not place.gone and place.kept.line.player not in hidden
        ]

    def lift(self, steps: int, hidden: Collection[str]) -> None:
        """Show the worst of those that are not shown, and with it all that is below it."""
        for _ in range(steps):
            veiled = [place for place in self.seen(hidden) if not place.shown]
            if veiled:
                for place in self.places[self.places.index(veiled[-1]) :]:
                    place.shown = True

    def fallen(self, hidden: Collection[str]) -> bool:
        """Whether all is revealed: then there is nothing left to hide."""
        return self.revealing and all(place.shown for place in self.seen(hidden))

    def place_of(self, player: str) -> Place | None:
        """A player's place, where it has not been taken out."""
        mine = (each for each in self.places if each.kept.line.player == player and not each.gone)
        return next(mine, None)

    @property
    def size(self) -> int:
        """Entries that it keeps."""
        return sum(not place.gone for place in self.places)


@dataclass
class Past:
    """What is kept of a round that is over, and how many places behind that are not."""

    number: int
    version: int
    places: list[Kept]
    dropped: int
