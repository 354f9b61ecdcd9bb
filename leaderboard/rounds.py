"""Rounds as data: which one is on, whether it takes scores, and until when.

Nothing here waits for anything. What is due is settled by whoever looks next, at the moment at which it was due, so a
round is a function of its events and of now, not of who looked when. Times are seconds on the engine's clock.
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

State = Literal["closed", "soon", "open"]


class Round(Struct, frozen=True):
    """A round at one moment. A board that was never opened or closed is simply open."""

    number: int = 1
    state: State = "open"
    starts_at: float | None = None
    """When a round that is announced begins."""
    ends_at: float | None = None
    """When a timed round ends."""
    staged: bool = False
    """Whether a host opens and closes it: then the next round begins closed."""

    @property
    def due(self) -> float:
        """When it changes by itself; infinity if it does not."""
        moment = self.starts_at if self.state == "soon" else self.ends_at
        return math.inf if moment is None else moment

    def opened(self, now: float, wait: float, length: float | None) -> Round:
        """Opened in ``wait`` seconds, for ``length`` seconds or until it is closed."""
        start = now + wait
        ends_at = None if length is None else start + length
        if wait:
            return Round(self.number, "soon", start, ends_at, staged=True)
        return Round(self.number, "open", None, ends_at, staged=True)

    def closed(self) -> Round:
        """Closed, until it is opened again."""
        return Round(self.number, "closed", staged=True)

    def next(self) -> Round:
        """The round after it."""
        state: State = "closed" if self.staged else "open"
        return Round(self.number + 1, state, staged=self.staged)

    def turned(self) -> Round:
        """What it becomes at the moment at which it is due."""
        if self.state == "soon":
            return Round(self.number, "open", None, self.ends_at, staged=True)
        return self.closed()
