"""A visit to everybody once in a while, without a timer for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

SPOKES = 64
"""Parts into which a round of keep-alives is divided, so that ten thousand of them are no burst."""


class Wheel(Generic[T]):
    """Visits everybody once in ``period`` seconds, a part of them at a time.

    ``turned`` runs with each part: about once a second.
    """

    def __init__(
        self, period: float, visit: Callable[[T], None], turned: Callable[[], None]
    ) -> None:
        self._pause = period / SPOKES
        self._visit = visit
        self._turned = turned
        self._spokes: list[dict[T, None]] = [{} for _ in range(SPOKES)]
        self._places: dict[T, int] = {}
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, each: T) -> None:
        """Visit them from now on."""
        # The spoke just passed: its first visit is a whole period away.
        place = self._turn
        self._places[each] = place
        self._spokes[place][each] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._go_on)

    def remove(self, each: T) -> None:
        """Visit them no more; they must be on it."""
        del self._spokes[self._places.pop(each)][each]

    def stop(self) -> None:
        """Visit nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        self._timer = None
        self._turn = (self._turn + 1) % SPOKES
        for each in list(self._spokes[self._turn]):
            self._visit(each)
        self._turned()
        if self._places:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._go_on)
