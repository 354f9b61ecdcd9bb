"""Who has risen or fallen, compared with what this client saw about five seconds ago.

Compared with the last snapshot instead, the arrows of a busy board would only flicker. Snapshots are conflated, so what
counts is what was seen, and no two clients need agree.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol

SPAN = 5.0
"""Seconds that the comparison reaches back."""
STEP = 0.5
"""Snapshots closer together than this share one memory: at most a dozen or so are kept, however fast the board."""


class Placed(Protocol):
    """A player and its ordinal place."""

    @property
    def player(self) -> str: ...
    @property
    def position(self) -> int: ...


class Movement:
    """The places seen lately. Times are seconds of any clock that never steps.

    >>> from leaderboard.ranking import Row
    >>> ann, bob = (Row(rank=n, position=n, player=p, score=0) for n, p in ((1, "ann"), (2, "bob")))
    >>> movement = Movement()
    >>> movement.note(0.0, [ann, bob])
    >>> movement.of("bob", 1, now=5.0), movement.of("cleo", 2, now=5.0)
    (1, 0)
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, dict[str, int]]] = deque()

    def note(self, now: float, rows: Iterable[Placed]) -> None:
        """Remember a snapshot's rows."""
        seen = self._seen
        places = {row.player: row.position for row in rows}
        # The newest of a step is the one kept, so that the last one before a silence is always known.
        if len(seen) > 1 and seen[-1][0] // STEP == now // STEP:
            seen.pop()
        seen.append((now, places))
        while len(seen) > 1 and seen[1][0] <= now - SPAN:
            seen.popleft()

    def of(self, player: str, position: int, now: float) -> int:
        """Places won (positive) or lost since then, or since the player came into sight."""
        before: int | None = None
        for time, places in self._seen:
            if before is not None and time > now - SPAN:
                break
            before = places.get(player, before)
        return 0 if before is None else before - position

    def forget(self) -> None:
        """A new life of the board: places of the old one mean nothing."""
        self._seen.clear()
