"""Who watches which board, over all processes: each tells how many of its own connections do, and asks for the others'.

The first who comes and the last who goes are told at once, what is between them once a second. A count is told again
before it is forgotten, and to a server that may have lost it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from leaderboard.engines import wire
from leaderboard.engines.partition import Partition
from leaderboard.engines.servers import Servers
from leaderboard.errors import Refusal

RENEW = 20.0
"""Seconds after which is told again how many watch a board: a third of how long its keys outlive it."""
RENEWALS = 50
"""Of these at a time."""
PACE = 1.0
"""Seconds between two counts of those who watch a board, unless the first comes or the last goes."""


class Watchers:
    """Those who watch here, and how many do elsewhere: ``watched`` is told of boards that are watched here too."""

    def __init__(self, servers: Servers, watched: Callable[[str, int], None]) -> None:
        self._servers = servers
        self._watched = watched
        self._here: dict[str, int] = {}
        self._told: OrderedDict[str, float] = OrderedDict()
        """When it was last told how many watch a board; the longest ago first."""
        self._recount: set[str] = set()

    def watch(self, path: str, connections: int) -> None:
        """So many watch a board here from now on."""
        before = self._here.get(path, 0)
        if connections:
            self._here[path] = connections
        else:
            self._here.pop(path, None)
        if bool(before) != bool(connections):
            self._tell(path)
        elif before != connections:
            self._recount.add(path)

    def boards(self, partition: Partition) -> list[str]:
        """The boards of a partition that are watched here."""
        return [path for path in self._here if self._servers.partition(path) is partition]

    def tell_again(self, partition: Partition) -> None:
        """Its server may not know any more what it was told."""
        for path in self.boards(partition):
            self._tell(path)

    def renew(self) -> None:
        """Tell of counts that have changed a while ago, and of some that were told longest ago."""
        now = asyncio.get_running_loop().time()
        for path in list(self._recount):
            if self._told.get(path, 0.0) + PACE <= now:
                self._tell(path)
        for _ in range(RENEWALS):
            path, told = next(iter(self._told.items()), ("", now))
            if told + RENEW > now:
                break
            self._tell(path)

    def look_elsewhere(self, partition: Partition, boards: Sequence[str]) -> None:
        """Ask how many watch those of a partition's boards elsewhere that are watched here."""
        paths = [path for path in boards if path in self._here]
        if not paths:
            return

        def answered(answer: Any) -> None:
            if not isinstance(answer, Refusal):
                for path, count in zip(paths, wire.counts_of(answer), strict=True):
                    self._watched(path, count)

        ask = wire.encode(self._servers.request(paths=paths))
        partition.link.run("watching", partition.base, ask, answered)

    def _tell(self, path: str) -> None:
        partition, what = self._servers.partition(path), f"#{path}"

        def answered(answer: Any) -> None:
            if isinstance(answer, int):
                partition.is_news(what, answer)

        count = self._here.get(path, 0)
        self._recount.discard(path)
        self._told.pop(path, None)
        if count:
            self._told[path] = asyncio.get_running_loop().time()
        ask = wire.encode(self._servers.request(path=path, count=count))
        partition.link.run("watch", partition.base, ask, answered)
