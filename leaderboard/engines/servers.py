"""The servers that have the boards: a link to each, and which of them has which partition.

They are reached at the start, followed where partitions move, as in a cluster or behind sentinels, and swept. What else
is asked of a partition is not known here; only what every request has to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from leaderboard.engines import CannotOpen, answer_of, scripts, wire
from leaderboard.engines.inspection import explained, inspect
from leaderboard.engines.link import Link, end
from leaderboard.engines.partition import Partition
from leaderboard.engines.places import GONE, Address, Places, Unusable
from leaderboard.errors import Refusal

log = logging.getLogger(__name__)

START = 5.0
"""Seconds that a server has to be there at the start: it may be starting itself."""
SWEEP = 5.0
"""Seconds between sweeps: idle boards end at most so much later."""


class Servers:
    """Those of a URL. ``reached`` is told when one can be asked again, ``lost`` when partitions are not served any
    more; ``heard`` gets channels and messages."""

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] | None,
        reached: Callable[[], None],
        lost: Callable[[], None],
        heard: Callable[[bytes, bytes], None],
    ) -> None:
        self.process = secrets.token_hex(4)
        """What they call this process."""
        self.partitions: list[Partition] = []
        self._places = Places(url)
        self.publish = self._places.publish
        """The command that sends a message."""
        self._clock = clock
        self._reached = reached
        self._lost = lost
        self._heard = heard
        self._scripts = scripts.load()
        self._links: dict[Address, Link] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._misplaced = asyncio.Event()
        self._layout_found = ""
        """The layout of keys that was in use at the last look."""

    def partition(self, channel: str) -> Partition:
        """The one that has a board."""
        return self.partitions[self._places.partition(channel)]

    def request(self, **what: Any) -> dict[str, Any]:
        """What a script is asked to do, with what each has to know."""
        what["publish"] = self.publish
        what["process"] = self.process
        if self._clock is not None:
            what["now"] = self._clock()
        return what

    def lose(self, partitions: Sequence[Partition]) -> None:
        """These are not served: what is known of their boards is stale. Told of all, though others were lost before."""
        lost = [partition for partition in partitions if partition.served]
        for partition in partitions:
            partition.asking = partition.served = False
        if lost:
            self._lost()

    # -- start and stop ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Reach them all, or raise `CannotOpen`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + START
        while True:
            try:
                with explained():
                    await self._open()
                break
            except (ValueError, Unusable) as error:
                await self._close_links()
                raise CannotOpen(str(error)) from error
            except GONE as error:
                await self._close_links()
                if loop.time() > end:
                    said = str(error) or "it does not answer"
                    raise CannotOpen(
                        f"Redis cannot be reached: {said.rstrip('.')}. Look whether it runs at that address, with TLS"
                        " (rediss://) or without (redis://)"
                    ) from error
                await asyncio.sleep(0.2)
        self._tasks = [
            asyncio.create_task(self._sweep(), name="redis engine's sweep"),
            asyncio.create_task(self._follow(), name="redis engine's places"),
        ]

    async def _open(self) -> None:
        places = await self._places.locate()
        for address in dict.fromkeys(places):
            self._links[address] = self._link(address)
        self.partitions = [
            Partition(number, self._places.base(number), self._links[address])
            for number, address in enumerate(places)
        ]
        for address, link in self._links.items():
            bases = [each.base for each in self.partitions if each.link is link]
            await inspect(self._places, address, bases, self._scripts)
            await link.open(self._channels(link))

    async def stop(self) -> None:
        """Let go of them."""
        await end(self._tasks)
        # Who watched here watches no more.
        told = [
            answer_of(partial(each.link.send, ("ZREM", f"{each.base}:up", self.process)))
            for each in self.partitions
        ]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await asyncio.gather(*told)
        await self._close_links()

    async def _close_links(self) -> None:
        for link in self._links.values():
            await link.close()
        self._links.clear()

    def _link(self, address: Address) -> Link:
        return Link(address, self._places, self._scripts, self._link_changed, self._heard)

    def _channels(self, link: Link) -> list[str]:
        return [
            f"{partition.base}:{kind}"
            for partition in self.partitions
            if partition.link is link
            for kind in ("poke", "relay")
        ]

    # -- where they are ------------------------------------------------------------------------------------------------

    def _link_changed(self, link: Link) -> None:
        """A server can be reached again, or not any more; or it is not in charge any more."""
        if link.up and not link.moved:
            for partition in self.partitions:
                if partition.link is link:
                    self.take_over(partition)  # before anything else is asked of it
            self._reached()
        else:
            self._misplaced.set()
            if not link.up:
                self.lose([each for each in self.partitions if each.link is link])

    async def _follow(self) -> None:
        """Look where the partitions are when a server is gone or says that they have moved."""
        while True:
            await self._misplaced.wait()
            self._misplaced.clear()
            if self._places.kind == "servers":
                continue  # they do not move
            try:
                await self._move(await self._places.locate())
            except (*GONE, Unusable) as error:
                log.warning("the servers cannot be found: %s", error)
                self._misplaced.set()
            if any(not p.link.up or p.link.moved for p in self.partitions):
                self._misplaced.set()
            await asyncio.sleep(0.2)

    async def _move(self, places: list[Address]) -> None:
        for partition, address in zip(self.partitions, places, strict=True):
            link = self._links.get(address)
            if link is None:
                link = self._links[address] = self._link(address)
            if link is not partition.link:
                partition.link = link
                self.lose([partition])  # until it has answered there
            link.moved = False
        for address, link in list(self._links.items()):
            mine = self._channels(link)
            if not mine:
                await link.close()
                del self._links[address]
            elif link.begun:
                await link.listen_to(mine)
            else:
                link.begin(mine)
        self._reached()

    def take_over(self, partition: Partition) -> None:
        """Say which server has a partition: if another had it, versions that may have been lost are not given again."""

        def answered(answer: Any) -> None:
            if not isinstance(answer, Refusal) and (moved := wire.count_of(answer)):
                log.warning("Redis at %s:%s has taken over: %d boards go on there", *address, moved)

        link = partition.link
        address = link.address
        if link.server:
            ask = wire.encode(self.request(server=link.server))
            link.run("takeover", partition.base, ask, answered)

    # -- what is done for them -----------------------------------------------------------------------------------------

    def watch_layout(self) -> None:
        """Say that this layout of keys is in use; another may be, if what was said is lost."""

        def answered(answer: Any) -> None:
            if isinstance(answer, Refusal):
                return
            own, found = self._places.layout, answer.decode()
            if found not in (own, self._layout_found):
                log.error(
                    "processes of another version use this Redis too, with their own boards (%s, not %s): end either",
                    found,
                    own,
                )
            self._layout_found = found

        key, own = self._places.layout_key(), self._places.layout.encode()
        self.partitions[0].link.run("layout", key, own, answered)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.watch_layout()
            for partition in self.partitions:
                self._sweep_one(partition)

    def _sweep_one(self, partition: Partition) -> None:
        def answered(answer: Any) -> None:
            if not isinstance(answer, Refusal) and wire.truth_of(answer):
                self._sweep_one(partition)

        if partition.link.up:
            partition.link.run("sweep", partition.base, wire.encode(self.request()), answered)
