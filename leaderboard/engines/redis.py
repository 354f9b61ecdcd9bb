"""Boards in Redis or Valkey, so that many processes serve the same ones.

Each call is one script on the server that has the board (`scripts`), so it is atomic, and the server's clock settles
what is due. Scripts are asked for in the order of the calls, over one `link` per server (`servers`). Of what others do
a process learns from the change log of each partition, which it reads twenty times a second and at once when it is
poked; events that are delivered as they came travel as messages. Nothing rests on the pokes: they save a part of the
wait. What the log tells of those who watch and of tokens is for `watchers` and `revocations`; whether
all have the same rules is for `agreement`.

Nothing is stored: every key expires, and an empty server is a new beginning, with other epochs.

Longer than most, as the interface is: a short method for each call, and the log by which others learn what it did.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from leaderboard import channels
from leaderboard.engines import Batch, Engine, Lease, Outcome, Reading, Running, wire
from leaderboard.engines.agreement import Agreement
from leaderboard.engines.link import end
from leaderboard.engines.partition import Partition
from leaderboard.engines.revocations import Revocations
from leaderboard.engines.servers import Servers
from leaderboard.engines.watchers import Watchers
from leaderboard.errors import EngineUnavailable, OutcomeUnknown, Refusal
from leaderboard.people import SEARCHED, Person
from leaderboard.ranking import View
from leaderboard.settings import Limits, Namespace

log = logging.getLogger(__name__)

T = TypeVar("T")

POLL = 0.05
"""Seconds between two looks at the change log when nobody pokes."""
PACE = 0.005
"""Seconds between two looks at least, however often they poke."""
ALIVE = 6.0
"""Seconds after which a process that says nothing counts as gone, and so do its watchers."""


class RedisEngine(Engine):
    """The engine for more than one process. ``clock`` (seconds since 1970), instead of the server's, is for tests."""

    def __init__(
        self,
        url: str,
        limits: Limits,
        clock: Callable[[], float] | None = None,
        namespaces: Mapping[str, Namespace] | None = None,
    ) -> None:
        super().__init__()
        self._limits = limits
        self._poked = asyncio.Event()
        # Whom they tell is set later.
        self._servers = Servers(
            url, clock, self._poked.set, lambda: self.health(False), self._heard
        )
        self._watchers = Watchers(self._servers, lambda *what: self.watched(*what))
        self._revocations = Revocations(self._servers, lambda *what: self.revoked(*what))
        self._agreement = Agreement(self._servers, limits, namespaces or {})
        self._rules: dict[int, tuple[Namespace, dict[str, Any]]] = {}
        self._epochs = itertools.count(1)
        self._leases = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []

    # -- start and stop -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self._servers.start()
        self._tasks = [asyncio.create_task(self._beat(), name="redis engine's beat")]

    async def stop(self) -> None:
        await end(self._tasks)
        await self._servers.stop()

    # -- the interface ------------------------------------------------------------------------------------------------

    def apply(self, batch: Batch, done: Callable[[Outcome | Refusal], None]) -> None:
        channel, rules = batch.channel, batch.rules
        partition = self._servers.partition(channel)
        others = [each for each in self._servers.partitions if each is not partition]
        ask = self._servers.request(
            **self._known(rules),
            path=channel,
            events=[wire.event_of(event, rules) for event in batch.events],
            epoch=f"{self._servers.process}{next(self._epochs):x}",
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

        ask = self._servers.request(
            path=channel,
            views=[wire.view_of(view) for view in views],
            floor=floor,
        )
        self._look("read", channel, ask, answered, done)

    def people(
        self, channel: str, prefix: str, limit: int, done: Callable[[list[Person] | Refusal], None]
    ) -> None:
        def answered(_: Partition, answer: bytes) -> None:
            done(wire.people_of(answer, prefix, limit))

        ask = self._servers.request(path=channel, most=SEARCHED)
        self._look("people", channel, ask, answered, done)

    def relay(
        self, channel: str, events: Sequence[str], done: Callable[[Refusal | None], None]
    ) -> None:
        partition = self._servers.partition(channel)
        message = wire.encode((channel, False, events))

        def answered(answer: Any) -> None:
            done(answer if isinstance(answer, Refusal) else None)

        # This process, too, delivers what it hears: so all see one order.
        partition.link.send((self._servers.publish, f"{partition.base}:relay", message), answered)

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
            self._servers.request(
                prefix=prefix,
                exact=not wild,
                limit=limit,
                **{"from": ("(" if first == after else "[") + first},
            )
        )
        asked = self._servers.partitions if wild else [self._servers.partition(pattern)]
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
        self._watchers.watch(channel, connections)

    def revoke(self, token_id: str, until: float, done: Callable[[Refusal | None], None]) -> None:
        self._revocations.revoke(token_id, until, done)

    def lease(
        self,
        name: str,
        most: int,
        wanted: int,
        seconds: float,
        done: Callable[[Lease | Refusal], None],
    ) -> None:
        ask = self._servers.request(
            name=name, most=most, wanted=wanted, seconds=seconds, number=next(self._leases)
        )
        self._share("lease", self._servers.partition(name), ask, wire.lease_of, done)

    def lead(self, name: str, seconds: float, done: Callable[[bool | Refusal], None]) -> None:
        ask = self._servers.request(name=name, seconds=seconds)
        self._share("lead", self._servers.partition(name), ask, wire.truth_of, done)

    def unled(self, done: Callable[[list[str] | Refusal], None]) -> None:
        names: list[str] = []
        refusals: list[Refusal] = []
        left = len(self._servers.partitions)

        def answered(answer: list[str] | Refusal) -> None:
            nonlocal left
            left -= 1
            if isinstance(answer, Refusal):
                refusals.append(answer)
            else:
                names.extend(answer)
            if not left:
                done(refusals[0] if refusals and not names else names)

        for partition in self._servers.partitions:
            self._share("unled", partition, self._servers.request(), wire.texts_of, answered)

    def keep(
        self,
        text_id: str,
        text: str | None,
        ends: float,
        most: int,
        done: Callable[[bool | Refusal], None],
    ) -> None:
        ask = self._servers.request(id=text_id, ends=ends, most=most)
        if text is not None:
            ask["text"] = text
        self._share("keep", self._servers.partitions[0], ask, wire.truth_of, done)

    def kept(self, done: Callable[[list[str] | Refusal], None]) -> None:
        self._share(
            "kept", self._servers.partitions[0], self._servers.request(), wire.texts_of, done
        )

    def reaches(self, channel: str) -> bool:
        return self._servers.partition(channel).served

    # -- what is asked ------------------------------------------------------------------------------------------------

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
        partition = self._servers.partition(channel)

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
                for partition in self._servers.partitions:
                    self._ask_changes(partition)
                self._watchers.renew()
                self._agreement.renew()
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
                # Though its server may be there: a cluster may be down.
                self._servers.lose([partition])
            else:
                self._learn(partition, wire.changes_of(answer))

        partition.asking = True
        ask = wire.encode(self._servers.request(last=partition.last, alive=ALIVE))
        link.run("changes", partition.base, ask, answered)

    def _learn(self, partition: Partition, changes: wire.Changes) -> None:
        news = partition.learn(changes)
        if partition.number == 0:
            self.processes = max(1, changes.processes)
            self._revocations.look(changes.revocations)
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
            watched = self._watchers.boards(partition)
        partition.processes = changes.processes
        self._watchers.look_elsewhere(partition, watched)

    def _begin_anew(self, partition: Partition) -> None:
        """Changes may have been missed, or the server be another: tell it what it must know, and look at everything."""
        self._servers.take_over(partition)
        self._watchers.tell_again(partition)
        if partition.number == 0:
            self._servers.watch_layout()
            self._revocations.tell_again()
        healthy = all(each.served for each in self._servers.partitions)
        self.health(healthy)
        if not healthy:  # else all boards are read again
            for path in self._watchers.boards(partition):
                self.changed(path)

    def _heard(self, channel: bytes, data: bytes) -> None:
        if channel.endswith(b":poke"):
            self._poked.set()
        else:
            path, private, events = wire.message_of(data)
            self.relayed(path, events, private)


def _failed_to_read(refusal: Refusal) -> Refusal:
    """Nothing was to be done, so nothing is unknown."""
    return EngineUnavailable() if isinstance(refusal, OutcomeUnknown) else refusal
