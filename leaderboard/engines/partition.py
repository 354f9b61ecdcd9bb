"""What a process knows of one partition: who serves it, how far its change log was read, and what was told of it.

A change is told once, whether this process made it and was answered or read of it in the log: both know its number.
"""

from __future__ import annotations

from collections.abc import Iterator

from leaderboard.engines.link import Link
from leaderboard.engines.wire import Changes, numbered


class Partition:
    """A partition and its change log, as read so far."""

    def __init__(self, number: int, base: str, link: Link) -> None:
        self.number = number
        self.base = base
        """What all its keys begin with."""
        self.link = link
        self.entries = self.boards = 0
        """As it last told; other partitions share the ceilings with it."""
        self.processes = 0
        """As many were alive at the last look."""
        self.asking = False
        """Whether an answer about its changes is on its way."""
        self.served = True
        """Whether the last look at its changes was answered. A server that can be reached may refuse, as a cluster
        does that is down. Once it was not, changes may have been missed."""
        self._identity = ""
        self._last = 0
        self._told: dict[str, int] = {}

    @property
    def last(self) -> int:
        """The last change that was read of."""
        return self._last

    def is_news(self, what: str, number: int) -> bool:
        """Whether a change of this number is one that was not told yet; from here on it was."""
        if number <= self._told.get(what, 0):
            return False
        self._told[what] = number
        return True

    def learn(self, changes: Changes) -> Iterator[str] | None:
        """What has changed and was not told; None if all may have, because the log is another or was trimmed."""
        self.entries, self.boards = changes.entries, changes.boards
        begins = not self._identity and not self._last
        lost = not begins and (
            changes.identity != self._identity
            or changes.number < self._last
            or self._last < changes.floor
        )
        self._identity, self._last = changes.identity, changes.number
        if lost:
            self._told.clear()
            return None
        news = [
            what for what, number in numbered(changes.log).items() if self.is_news(what, number)
        ]
        self._told = {what: number for what, number in self._told.items() if number > self._last}
        return iter(news)
