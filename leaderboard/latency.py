"""How long it takes until a score is seen: events matched with the snapshots that first show them, and percentiles."""

from __future__ import annotations

import asyncio
import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard.subscriptions import Snapshot


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of some durations, in milliseconds; None of none."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        """By nearest rank, so that each is a duration that was measured.

        >>> Spread.of([0.001, 0.002, 0.003]).p50
        2.0
        """
        ordered = sorted(seconds)

        def at(share: float) -> float | None:
            if not ordered:
                return None
            return round(ordered[math.ceil(share * len(ordered)) - 1] * 1000, 3)

        return cls(len(ordered), at(0.50), at(0.95), at(0.99), at(1.0))


class Shown:
    """Matches events, by the version that each led to, with the snapshots that first showed them."""

    def __init__(self) -> None:
        self.snapshots = 0
        self.not_shown = 0
        self.without_effect = 0
        self.seconds = array("d")
        self._versions = array("q")
        self._times = array("d")
        self._events = array("q")
        self._called = array("d")
        self._news = asyncio.Event()

    def snapshot(self, snapshot: Snapshot, now: float) -> None:
        """A snapshot came in."""
        if snapshot.reset:
            self.settle()  # versions begin anew
        self.snapshots += 1
        if not self._versions or snapshot.version > self._versions[-1]:
            self._versions.append(snapshot.version)
            self._times.append(now)
            self._news.set()

    def event(self, version: int, called: float) -> None:
        """An event was answered."""
        self._events.append(version)
        self._called.append(called)

    async def complete(self) -> None:
        """Wait until all events answered have been shown."""
        last = max(self._events, default=0)
        while not self._versions or self._versions[-1] < last:
            self._news.clear()
            await self._news.wait()

    def settle(self) -> None:
        """Take the durations of all that is known, and forget it."""
        for version, called in zip(self._events, self._called, strict=True):
            index = bisect_left(self._versions, version)
            if index == len(self._versions):
                self.not_shown += 1
            elif self._times[index] < called:
                self.without_effect += 1
            else:
                self.seconds.append(self._times[index] - called)
        for column in (self._versions, self._times, self._events, self._called):
            del column[:]
