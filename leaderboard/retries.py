"""Retry windows: tells a repeated event from a new one, so that a client may send again what was not answered.

A sender numbers its events of one player with rising ``n`` under a random ``by`` of its own. For each (player, ``by``)
the highest ``n`` is kept and a bitmap of the 32 below it, because replies may overtake each other and a bare high-water
mark would take late events for repeats. Anything older cannot be told from a repeat and is an error for the sender.

Windows know nothing of boards: they outlive the removal of a row and the start of a round, and lapse a while after
their last use. The mapping is kept in order of last use, so lapsing costs a look at its head.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum

WIDTH = 32
"""How many ``n`` below the highest are told apart: more than a client keeps in flight (AppSync: 25 a second)."""
LAPSE = 600.0
"""Seconds after its last use for which a window is kept: longer than any client's back-off."""
SENDERS = 4
"""Windows per player: a reload or a second device makes a new ``by``; the one unused longest gives way."""


class Seen(Enum):
    """What is known of one ``n``."""

    NEW = "new"
    REPEAT = "repeat"
    TOO_OLD = "too old"


class _Window:
    __slots__ = ("below", "highest", "used")

    def __init__(self) -> None:
        self.highest = 0
        self.below = 0  # bit i: highest - 1 - i was noted
        self.used = 0.0


class Retries:
    """The windows of one board; at most ``capacity`` of them, the longest unused giving way."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()
        self._senders: dict[str, list[str]] = {}
        """Per player, in order of last use as well: time alone does not tell which of two came first in a batch."""

    def __len__(self) -> int:
        return len(self._windows)

    def look_up(self, player: str, by: str, n: int, now: float) -> Seen:
        """What is known of ``n``; changes nothing but what has lapsed."""
        self._lapse(now)
        window = self._windows.get((player, by))
        if window is None or n > window.highest:
            return Seen.NEW
        distance = window.highest - n
        if distance == 0:
            return Seen.REPEAT
        if distance > WIDTH:
            return Seen.TOO_OLD
        return Seen.REPEAT if window.below >> (distance - 1) & 1 else Seen.NEW

    def note(self, player: str, by: str, n: int, now: float) -> None:
        """Remember that ``n`` was applied."""
        key = (player, by)
        window = self._windows.get(key)
        if window is None:
            window = self._open(key)
        if n > window.highest:
            shift = n - window.highest
            # The old highest becomes one of those below: a new window's is 0, which nobody sends.
            known = window.below << 1 | 1
            window.below = known << (shift - 1) & (1 << WIDTH) - 1 if shift <= WIDTH else 0
            window.highest = n
        else:
            window.below |= 1 << (window.highest - n - 1)
        window.used = now
        self._windows.move_to_end(key)
        senders = self._senders[player]
        senders.remove(by)
        senders.append(by)

    def _open(self, key: tuple[str, str]) -> _Window:
        player, by = key
        senders = self._senders.get(player, [])
        if len(senders) == SENDERS:
            self._drop((player, senders[0]))
        elif len(self._windows) >= self._capacity:
            self._drop(next(iter(self._windows)))
        self._senders.setdefault(player, []).append(by)
        window = self._windows[key] = _Window()
        return window

    def _lapse(self, now: float) -> None:
        while self._windows:
            key, window = next(iter(self._windows.items()))
            if window.used + LAPSE > now:
                return
            self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        player, by = key
        del self._windows[key]
        senders = self._senders[player]
        senders.remove(by)
        if not senders:
            del self._senders[player]

    def _check(self) -> None:
        """Assert that the index by player and the windows tell the same."""
        assert len(self._windows) <= self._capacity
        of_player: dict[str, list[str]] = {}
        for player, by in self._windows:
            of_player.setdefault(player, []).append(by)
        assert self._senders == of_player  # the same order, too
        assert all(len(bys) <= SENDERS for bys in of_player.values())
        uses = [window.used for window in self._windows.values()]
        assert uses == sorted(uses)
