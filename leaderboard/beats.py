"""When something is due: at once after a quiet interval, else on the next beat, which is common to all of a pace.

Times are seconds on the loop's clock, and come in as arguments.
"""

from __future__ import annotations

import math


class Track:
    """When something of a board is due: ``next`` says when, ``sent`` when it was sent last (loop time)."""

    __slots__ = ("due", "next", "sent")

    def __init__(self) -> None:
        self.due = False
        self.next = 0.0
        self.sent = float("-inf")

    def mark(self, now: float, pace: float) -> None:
        """Make it due: at once after a quiet interval, else on the next common beat, a multiple of ``pace``."""
        if not self.due:
            self.due = True
            self.next = now if now - self.sent >= pace else next_beat(now, pace)

    def take(self, now: float, pace: float) -> bool:
        """Whether it is due by ``now``; if so, it is taken as sent."""
        if not self.due or self.next > now:
            return False
        self.due = False
        # On time, it counts from its beat, not from the loop's jitter.
        self.sent = self.next if now - self.next < pace else now
        return True


def next_beat(now: float, pace: float) -> float:
    """The first multiple of ``pace`` behind ``now``.

    A moment that is a beat must not be taken for one just before it, or a board is sent twice within one, hence the
    hair; and beats of different paces that coincide must be equal, so that one pass serves both, hence the rounding.
    """
    return round((math.floor(now / pace + 1e-4) + 1) * pace, 6)
