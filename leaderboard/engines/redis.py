"""Boards in Redis or Valkey, so that many processes serve the same ones.

Each call is one script on the server that has the board (`scripts`), so it is atomic, and the server's clock settles
what is due. Scripts are asked for in the order of the calls, over one `link` per server. Of what others do a process
learns from the change log of each partition, which it reads twenty times a second and at once when it is poked; events
that are delivered as they came travel as messages. Nothing rests on the pokes: they save a part of the wait.

Nothing is stored: every key expires, and an empty server is a new beginning, with other epochs.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from leaderboard import channels
from leaderboard.engines import (
    Batch,
    CannotOpen,
    Engine,
    Lease,
    Outcome,
    Reading,
    Running,
    answer_of,
    scripts,
    wire,
)
from leaderboard.engines.inspection import explained, inspect
from leaderboard.engines.link import Link, end
from leaderboard.engines.partition import Partition
from leaderboard.engines.places import GONE, Address, Places, Unusable
from leaderboard.errors import EngineUnavailable, OutcomeUnknown, Refusal
from leaderboard.people import Person
from leaderboard.ranking import View
from leaderboard.settings import Limits, Namespace

log = logging.getLogger(__name__)

T = TypeVar("T")

POLL = 0.05
"""Seconds between two looks at the change log when nobody pokes."""
PACE = 0.005
"""Seconds between two looks at least, however often they poke."""
SWEEP = 5.0
"""Seconds between sweeps: idle boards end at most so much later."""
ALIVE = 6.0
"""Seconds after which a process that says nothing counts as gone, and so do its watchers."""
RENEW = 20.0
"""Seconds after which is told again how many watch a board: a third of how long its keys outlive it."""
RENEWALS = 50
"""Of these at a time."""
WATCH_PACE = 1.0
"""Seconds between two counts of those who watch a board, unless the first comes or the last goes."""
START = 5.0
"""Seconds that a server has to be there at the start: it may be starting itself."""


class RedisEngine(Engine):
    """The engine for more than one process. ``clock`` (seconds since 1970), instead of the server's, is for tests."""

    def __init__(self, url: str, limits: Limits, clock: Callable[[], float] | None = None) -> None:
        self._places = Places(url)
        self._limits = limits
        self._clock = clock
        self._process = secrets.token_hex(4)
        self._epochs = itertools.count(1)
        self._scripts = scripts.load()
        self._links: dict[Address, Link] = {}
        self._partitions: list[Partition] = []
        self._rules: dict[int, tuple[Namespace, dict[str, Any]]] = {}
        self._watched: dict[str, int] = {}
        self._told_watched: OrderedDict[str, float] = OrderedDict()
        """When it was last told how many watch a board; the longest ago first."""
        self._recount: set[str] = set()
        self._revocations: dict[str, float] = {}
        self._leases = itertools.count(1)
        self.processes = 1
        self._poked = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._misplaced = asyncio.Event()
        self._layout_found = ""
        """The layout of keys that was in use at the last look."""
        self.changed: Callable[[str], None] = _ignore
        self.relayed: Callable[[str, Sequence[str], bool], None] = _ignore
        self.revoked: Callable[[str, float], None] = _ignore
        self.watched: Callable[[str, int], None] = _ignore
        self.health: Callable[[bool], None] = _ignore

    # -- start and stop -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
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
            asyncio.create_task(self._beat(), name="redis engine's beat"),
            asyncio.create_task(self._sweep(), name="redis engine's sweep"),
            asyncio.create_task(self._follow(), name="redis engine's places"),
        ]

    async def _open(self) -> None:
        places = await self._places.locate()
        for address in dict.fromkeys(places):
            self._links[address] = self._link(address)
        self._partitions = [
            Partition(number, self._places.base(number), self._links[address])
            for number, address in enumerate(places)
        ]
        for address, link in self._links.items():
            bases = [each.base for each in self._partitions if each.link is link]
            await inspect(self._places, address, bases, self._scripts)
            await link.open(self._channels(link))

    async def stop(self) -> None:
        await end(self._tasks)
        # Who watched here watches no more.
        told = [
            answer_of(partial(each.link.send, ("ZREM", f"{each.base}:up", self._process)))
            for each in self._partitions
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
        return Link(address, self._places, self._scripts, self._reached, self._heard)

    def _channels(self, link: Link) -> list[str]:
        return [
            f"{partition.base}:{kind}"
            for partition in self._partitions
            if partition.link is link
            for kind in ("poke", "relay")
        ]

    # -- the interface ------------------------------------------------------------------------------------------------

    def apply(self, batch: Batch, done: Callable[[Outcome | Refusal], None]) -> None:
        channel, rules = batch.channel, batch.rules
        partition = self._partition(channel)
        others = [each for each in self._partitions if each is not partition]
        ask = self._ask(
            **self._known(rules),
            path=channel,
            events=[wire.event_of(event, rules) for event in batch.events],
            epoch=f"{self._process}{next(self._epochs):x}",
            most_boards=self._limits.channels,
            most_entries=self._limits.entries,
            other_boards=sum(each.boards for each in others),
            other_entries=sum(each.entries for each in others),
            ranked=batch.ranked,
        )
        if batch.texts:
            ask["texts"] = batch.texts

        def answered(answer: Any) -> None:
            if isinstance(answer, Refusal):
                done(answer)
                return
            told = wire.done_of(answer)
            done(wire.outcome_of(told, batch, self._limits.channels))
            self._tell(partition, told.told)

        partition.link.run("apply", partition.base, wire.encode(ask), answered)

    def read(
        self,
        channel: str,
        rules: Namespace,
        views: Sequence[View],
        floor: tuple[str, int],
        done: Callable[[Reading | Refusal], None],
    ) -> None:
        def answered(partition: Partition, answer: bytes) -> None:
            read = wire.read_of(answer)
            self._tell(partition, read.told)
            done(wire.reading_of(read, channel, views))

        ask = self._ask(
            path=channel,
            views=[wire.view_of(view) for view in views],
            floor=floor,
            ordinal=rules.ties == "ordinal",
        )
        self._look("read", channel, ask, answered, done)

    def people(
        self, channel: str, prefix: str, limit: int, done: Callable[[list[Person] | Refusal], None]
    ) -> None:
        def answered(_: Partition, answer: bytes) -> None:
            done(wire.people_of(answer, prefix, limit))

        ask = self._ask(path=channel, most=wire.MOST_PEOPLE)
        self._look("people", channel, ask, answered, done)

    def relay(
        self, channel: str, events: Sequence[str], done: Callable[[Refusal | None], None]
    ) -> None:
        partition = self._partition(channel)
        message = wire.encode((channel, False, events))

        def answered(answer: Any) -> None:
            done(answer if isinstance(answer, Refusal) else None)

        # This process, too, delivers what it hears: so all see one order.
        partition.link.send((self._places.publish, f"{partition.base}:relay", message), answered)

    def find(
        self,
        pattern: str,
        after: str,
        limit: int,
        done: Callable[[list[Running] | Refusal], None],
    ) -> None:
        wild = channels.is_wildcard(pattern)
        prefix = pattern[:-1] if wild else pattern
        first = max(after, prefix)
        ask = wire.encode(
            self._ask(
                prefix=prefix,
                exact=not wild,
                limit=limit,
                **{"from": ("(" if first == after else "[") + first},
            )
        )
        asked = self._partitions if wild else [self._partition(pattern)]
        found: list[Running] = []
        refusals: list[Refusal] = []
        left = len(asked)

        def answered(partition: Partition, answer: Any) -> None:
            nonlocal left
            left -= 1
            if isinstance(answer, Refusal):
                refusals.append(answer)
            else:
                page = wire.found_of(answer)
                found.extend(page.running())
                self._tell(partition, page.told)
            if not left:
                in_order = sorted(found, key=lambda board: board.channel)[:limit]
                done(_failed_to_read(refusals[0]) if refusals else in_order)

        for partition in asked:
            partition.link.run("find", partition.base, ask, partial(answered, partition))

    def watch(self, channel: str, connections: int) -> None:
        before = self._watched.get(channel, 0)
        if connections:
            self._watched[channel] = connections
        else:
            self._watched.pop(channel, None)
        if bool(before) != bool(connections):
            self._tell_watched(channel)
        elif before != connections:
            self._recount.add(channel)

    def revoke(self, token_id: str, until: float, done: Callable[[Refusal | None], None]) -> None:
        def answered(answer: Any) -> None:
            if isinstance(answer, Refusal):
                done(answer)
                return
            self._take_revocations(answer)
            done(None)

        self._ask_revocations([(token_id, until)], answered)

    def lease(
        self,
        name: str,
        most: int,
        wanted: int,
        seconds: float,
        done: Callable[[Lease | Refusal], None],
    ) -> None:
        ask = self._ask(
            name=name, most=most, wanted=wanted, seconds=seconds, number=next(self._leases)
        )
        self._share("lease", self._partition(name), ask, wire.lease_of, done)

    def lead(self, name: str, seconds: float, done: Callable[[bool | Refusal], None]) -> None:
        ask = self._ask(name=name, seconds=seconds)
        self._share("lead", self._partition(name), ask, wire.truth_of, done)

    def unled(self, done: Callable[[list[str] | Refusal], None]) -> None:
        names: list[str] = []
        refusals: list[Refusal] = []
        left = len(self._partitions)

        def answered(answer: list[str] | Refusal) -> None:
            nonlocal left
            left -= 1
            if isinstance(answer, Refusal):
                refusals.append(answer)
            else:
                names.extend(answer)
            if not left:
                done(refusals[0] if refusals and not names else names)

        for partition in self._partitions:
            self._share("unled", partition, self._ask(), wire.texts_of, answered)

    def keep(
        self,
        text_id: str,
        text: str | None,
        ends: float,
        most: int,
        done: Callable[[bool | Refusal], None],
    ) -> None:
        ask = self._ask(id=text_id, ends=ends, most=most)
        if text is not None:
            ask["text"] = text
        self._share("keep", self._partitions[0], ask, wire.truth_of, done)

    def kept(self, done: Callable[[list[str] | Refusal], None]) -> None:
        self._share("kept", self._partitions[0], self._ask(), wire.texts_of, done)

    def reaches(self, channel: str) -> bool:
        return self._partition(channel).served

    # -- what is asked ------------------------------------------------------------------------------------------------

    def _partition(self, channel: str) -> Partition:
        return self._partitions[self._places.partition(channel)]

    def _ask(self, **what: Any) -> dict[str, Any]:
        what["publish"] = self._places.publish
        what["process"] = self._process
        if self._clock is not None:
            what["now"] = self._clock()
        return what

    def _known(self, rules: Namespace) -> dict[str, Any]:
        kept = self._rules.get(id(rules))
        if kept is None or kept[0] is not rules:
            if len(self._rules) > 1000:  # namespaces are few; those of tests are not
                self._rules.clear()
            kept = self._rules[id(rules)] = (rules, wire.rules_of(rules))
        return kept[1]

    def _look(
        self,
        script: str,
        channel: str,
        ask: dict[str, Any],
        answered: Callable[[Partition, bytes], None],
        done: Callable[[Any], None],
    ) -> None:
        partition = self._partition(channel)

        def told(answer: Any) -> None:
            if isinstance(answer, Refusal):
                done(_failed_to_read(answer))
            else:
                answered(partition, answer)

        partition.link.run(script, partition.base, wire.encode(ask), told)

    def _share(
        self,
        script: str,
        partition: Partition,
        ask: dict[str, Any],
        decode: Callable[[bytes], T],
        done: Callable[[T | Refusal], None],
    ) -> None:
        """Ask for what processes share beside boards."""

        def answered(answer: Any) -> None:
            done(answer if isinstance(answer, Refusal) else decode(answer))

        partition.link.run(script, partition.base, wire.encode(ask), answered)

    def _tell(self, partition: Partition, told: Sequence[str]) -> None:
        """What a call of this process has changed is told at once; the log would tell it a moment later."""
        for what, number in wire.numbered(told).items():
            if partition.is_news(what, number) and not what.startswith("#"):
                self.changed(what)

    # -- what others do -----------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._poked.wait()
            self._poked.clear()
            try:
                for partition in self._partitions:
                    self._ask_changes(partition)
                self._renew()
            except Exception:
                log.exception("a look at the change log failed")
            await asyncio.sleep(PACE)

    def _ask_changes(self, partition: Partition) -> None:
        if partition.asking or not partition.link.up:
            return

        link = partition.link

        def answered(answer: Any) -> None:
            if partition.link is not link:
                return  # it has moved, and is asked where it is now
            partition.asking = False
            if isinstance(answer, Refusal):
                self._lose([partition])  # though its server may be there: a cluster may be down
            else:
                self._learn(partition, wire.changes_of(answer))

        partition.asking = True
        ask = wire.encode(self._ask(last=partition.last, alive=ALIVE))
        link.run("changes", partition.base, ask, answered)

    def _learn(self, partition: Partition, changes: wire.Changes) -> None:
        news = partition.learn(changes)
        if partition.number == 0:
            self.processes = max(1, changes.processes)
        if partition.number == 0 and changes.revocations != partition.revocations:
            partition.revocations = changes.revocations
            self._ask_revocations([], self._take_revocations)
        if news is None or not partition.served:
            partition.served = True
            self._begin_anew(partition)
        watched = []
        for what in news or ():
            if what.startswith("#"):
                watched.append(what[1:])
            else:
                self.changed(what)
        if partition.processes not in (0, changes.processes):
            # Who was killed tells nobody that its watchers are gone.
            watched = [path for path in self._watched if self._partition(path) is partition]
        partition.processes = changes.processes
        self._count_elsewhere(partition, [path for path in watched if path in self._watched])

    def _begin_anew(self, partition: Partition) -> None:
        """Changes may have been missed, or the server be another: tell it what it must know, and look at everything."""
        for path in self._watched:
            if self._partition(path) is partition:
                self._tell_watched(path)
        if partition.number == 0:
            self._watch_layout()
        if partition.number == 0 and self._revocations:
            self._ask_revocations(list(self._revocations.items()), self._take_revocations)
        healthy = all(each.served for each in self._partitions)
        self.health(healthy)
        if not healthy:  # else all boards are read again
            for path in list(self._watched):
                if self._partition(path) is partition:
                    self.changed(path)

    def _heard(self, channel: bytes, data: bytes) -> None:
        if channel.endswith(b":poke"):
            self._poked.set()
        else:
            path, private, events = wire.message_of(data)
            self.relayed(path, events, private)

    def _ask_revocations(
        self, tokens: list[tuple[str, float]], answered: Callable[[Any], None]
    ) -> None:
        partition = self._partitions[0]
        ask = wire.encode(self._ask(tokens=tokens))
        partition.link.run("revoke", partition.base, ask, answered)

    def _take_revocations(self, answer: Any) -> None:
        if isinstance(answer, Refusal):
            self._partitions[0].revocations = -1  # asked for again
            return
        in_force = dict(wire.revoked_of(answer))
        for token, until in in_force.items():
            if self._revocations.get(token) != until:
                self.revoked(token, until)
        self._revocations = in_force

    # -- who watches --------------------------------------------------------------------------------------------------

    def _tell_watched(self, path: str) -> None:
        partition, what = self._partition(path), f"#{path}"

        def answered(answer: Any) -> None:
            if isinstance(answer, int):
                partition.is_news(what, answer)

        count = self._watched.get(path, 0)
        self._recount.discard(path)
        self._told_watched.pop(path, None)
        if count:
            self._told_watched[path] = asyncio.get_running_loop().time()
        ask = wire.encode(self._ask(path=path, count=count))
        partition.link.run("watch", partition.base, ask, answered)

    def _renew(self) -> None:
        """Tell of counts that have changed a while ago, and of some that were told longest ago."""
        now = asyncio.get_running_loop().time()
        for path in list(self._recount):
            if self._told_watched.get(path, 0.0) + WATCH_PACE <= now:
                self._tell_watched(path)
        for _ in range(RENEWALS):
            path, told = next(iter(self._told_watched.items()), ("", now))
            if told + RENEW > now:
                break
            self._tell_watched(path)

    def _count_elsewhere(self, partition: Partition, paths: list[str]) -> None:
        if not paths:
            return

        def answered(answer: Any) -> None:
            if not isinstance(answer, Refusal):
                for path, count in zip(paths, wire.counts_of(answer), strict=True):
                    self.watched(path, count)

        ask = wire.encode(self._ask(paths=paths))
        partition.link.run("watching", partition.base, ask, answered)

    # -- the servers --------------------------------------------------------------------------------------------------

    def _watch_layout(self) -> None:
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
        self._partitions[0].link.run("layout", key, own, answered)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self._watch_layout()
            for partition in self._partitions:
                self._sweep_one(partition)

    def _sweep_one(self, partition: Partition) -> None:
        def answered(answer: Any) -> None:
            if not isinstance(answer, Refusal) and wire.truth_of(answer):
                self._sweep_one(partition)

        if partition.link.up:
            partition.link.run("sweep", partition.base, wire.encode(self._ask()), answered)

    def _reached(self, link: Link) -> None:
        """A server can be reached again, or not any more; or it is not in charge any more."""
        if link.up and not link.moved:
            self._poked.set()
        else:
            self._misplaced.set()
            if not link.up:
                self._lose([each for each in self._partitions if each.link is link])

    def _lose(self, partitions: Sequence[Partition]) -> None:
        """These are not served: what is known of their boards is stale. Told of all, though others were lost before."""
        lost = [partition for partition in partitions if partition.served]
        for partition in partitions:
            partition.asking = partition.served = False
        if lost:
            self.health(False)

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
            if any(not p.link.up or p.link.moved for p in self._partitions):
                self._misplaced.set()
            await asyncio.sleep(0.2)

    async def _move(self, places: list[Address]) -> None:
        for partition, address in zip(self._partitions, places, strict=True):
            link = self._links.get(address)
            if link is None:
                link = self._links[address] = self._link(address)
            if link is not partition.link:
                partition.link = link
                self._lose([partition])  # until it has answered there
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
        self._poked.set()


def _failed_to_read(refusal: Refusal) -> Refusal:
    """Nothing was to be done, so nothing is unknown."""
    return EngineUnavailable() if isinstance(refusal, OutcomeUnknown) else refusal


def _ignore(*_: Any) -> None:
    """Nobody listens yet."""
