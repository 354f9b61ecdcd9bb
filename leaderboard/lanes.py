"""Work in slices of about two milliseconds, between which the loop serves everybody else.

Three lanes: relays go before passes, and passes before the next job, so that what was begun is ended first. A relay or
a pass is a generator that yields wherever it may be left for a while. What the work is about is not known here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Generator

log = logging.getLogger(__name__)

CHUNK = 32
"""Deliveries after which a pass or a relay may be left for a while: some hundred microseconds."""
SLICE = 0.002
"""Seconds of work after which the loop gets its turn: below what anybody notices, above what a turn costs."""

Pass = Generator[None, None, None]
_Lane = deque[Pass]


class Lanes:
    """The lanes of one loop, on which everything here is called."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop
        self._relays: _Lane = deque()
        self._passes: _Lane = deque()
        self._jobs: deque[Callable[[], None]] = deque()
        self._working = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Work on this loop."""
        self._loop = loop

    @property
    def empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (self._relays or self._passes or self._jobs)

    @property
    def crowded(self) -> bool:
        """Whether more is to be done than the pass that asks."""
        return bool(self._jobs) or len(self._passes) > 1

    def start_relay(self, relay: Pass) -> None:
        """Do this before all passes."""
        self._relays.append(relay)
        self._work_soon()

    def start_pass(self, work: Pass) -> None:
        """Do this behind the passes under way."""
        self._passes.append(work)
        self._work_soon()

    def add(self, job: Callable[[], None]) -> None:
        """Do this in one go when no pass is under way."""
        self._jobs.append(job)
        self._work_soon()

    def add_first(self, job: Callable[[], None]) -> None:
        """Do this before the jobs that were added."""
        self._jobs.appendleft(job)
        self._work_soon()

    def _work_soon(self) -> None:
        if not self._working and not self.empty:
            self._working = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        """One slice: relays, the pass under way, and when there is none the next job."""
        end = self._loop.time() + SLICE
        while (self._relays or self._passes or self._jobs) and self._loop.time() < end:
            if self._relays:
                _step(self._relays)
            if self._passes:
                _step(self._passes)
            elif self._jobs:
                _run(self._jobs.popleft())
        self._working = False
        self._work_soon()


def _step(lane: _Lane) -> None:
    try:
        next(lane[0])
    except StopIteration:
        lane.popleft()
    except Exception:
        log.exception("a pass failed")  # one broken pass must not end the fan-out for all
        lane.popleft()


def _run(job: Callable[[], None]) -> None:
    try:
        job()
    except Exception:
        log.exception("a board could not be looked at")  # nor must one broken board
