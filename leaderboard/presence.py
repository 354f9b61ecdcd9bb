"""How many play: entries that were active in the last minute, counted without walking over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from leaderboard.ranking import Entry

BEAT = 5
"""Seconds: activity is known no more exactly than that."""
MINUTE = 12
"""Beats that an entry counts for after its last activity."""


class Presence:
    """Entries by the beat in which they were last active."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def note(self, entry: Entry, beat: int) -> None:
        """The entry is active in this beat (seconds since 1970, divided by `BEAT`)."""
        counts = self._counts
        if entry.beat in counts:
            counts[entry.beat] -= 1
        entry.beat = beat
        if beat not in counts:
            self._lapse(beat)
            counts[beat] = 0
        counts[beat] += 1

    def forget(self, entry: Entry) -> None:
        """The entry is gone."""
        if entry.beat in self._counts:
            self._counts[entry.beat] -= 1
        entry.beat = -1

    def count(self, now: float) -> int:
        """Entries that were active in the last minute."""
        self._lapse(int(now) // BEAT)
        return sum(self._counts.values())

    def _lapse(self, beat: int) -> None:
        for old in [old for old in self._counts if old <= beat - MINUTE]:
            del self._counts[old]

    def check(self, entries: Iterable[Entry]) -> None:
        """Assert that it is no more than the entries tell; for tests."""
        told = Counter(entry.beat for entry in entries)
        assert all(told[beat] == count for beat, count in self._counts.items())
        assert len(self._counts) <= MINUTE
