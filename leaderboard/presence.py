"""How many play: entries that were active in the last minute, counted without walking over them."""

from __future__ import annotations

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
        counts[beat] = counts.get(beat, 0) + 1

    def forget(self, entry: Entry) -> None:
        """The entry is gone."""
        if entry.beat in self._counts:
            self._counts[entry.beat] -= 1
        entry.beat = -1

    def count(self, now: float) -> int:
        """Entries that were active in the last minute."""
        oldest = int(now) // BEAT - MINUTE
        for beat in [beat for beat in self._counts if beat <= oldest]:
            del self._counts[beat]
        return sum(self._counts.values())
