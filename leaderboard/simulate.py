"""A simulated crowd on a board, and what it measured: a demonstration that is a load test.

The load is open: an event goes out when it is due, whether or not earlier ones were answered, so a server that slows
down is not spared. *Publish to snapshot* is taken for each event that was answered: from the call of publish until a
snapshot whose version includes it has reached a subscriber (of several, the one that subscribed last, which a fan-out
reaches last). So every event counts, not only the latest of those that one snapshot shows first.
"""

from __future__ import annotations

import asyncio
import math
from array import array
from collections import Counter, deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from leaderboard.client import Client, ClientError, Published, Refused, Snapshot
from leaderboard.crowd import START, Crowd, Mode
from leaderboard.latency import Shown, Spread

PACE = 15
"""Publishes a second over one connection. AppSync allows 25; what a stall of half a second bunches must fit as well."""
LIMIT = 24
"""Publishes in any second over one connection that the crowd allows itself when it catches up."""
MANY = 300
"""Connections beyond which events are published in batches."""
BATCH = 5
IN_FLIGHT = 50
"""Unanswered publishes per connection beyond which the crowd waits, and falls behind what was asked."""
LATE = 0.1
"""Seconds beyond its time for which the game still takes what was due in it: a crowd at its end is not cut short."""
ATTENTION = 0.2
"""Seconds within which it hears that it is to stop."""
ANSWERS = 5.0
"""Seconds that the last answers, and then the last snapshot, may take."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do. ``rate`` is events per second; ``mode`` None finds out what fits the board.

    Without ``connections`` there are as many as the rate needs at `PACE`, and none goes beyond AppSync's limit. Given,
    they are taken as they are.
    """

    channel: str
    players: int = 50
    rate: float = 100.0
    seconds: float = 30.0
    connections: int | None = None
    watchers: int = 1
    batch: int | None = None
    mode: Mode | None = None
    seed: int = 1

    @property
    def events_per_publish(self) -> int:
        """1, unless asked otherwise or there would be too many connections."""
        return self.batch or min(BATCH, max(1, math.ceil(self.rate / (PACE * MANY))))

    @property
    def publishers(self) -> int:
        """Connections that publish."""
        return self.connections or max(1, math.ceil(self.rate / self.events_per_publish / PACE))


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it. Of the ``sent`` events each is either answered, failed or unanswered."""

    channel: str
    mode: str
    seed: int
    players: int
    connections: int
    watchers: int
    events_per_publish: int
    seconds: float
    """From the first event to the last answer, or as long as the events were due."""
    offered: int
    """Events that were due in the time that it took."""
    offered_per_second: float
    sent: int
    answered: int
    failed: int
    unanswered: int
    achieved_per_second: float
    """Events answered, by ``seconds``."""
    failures: dict[str, int]
    """Failed events by error type."""
    snapshots: int
    """Snapshots that reached the measuring subscriber while it played."""
    snapshots_all: int
    not_shown: int
    """Events answered that no snapshot showed in time."""
    without_effect: int
    """Events answered that changed nothing, so that no snapshot had to show them."""
    publish_to_snapshot_ms: Spread
    publish_to_answer_ms: Spread
    behind_ms: float
    """The longest that an event went out after it was due: what the crowd, not the server, was late by at most."""


class Simulation:
    """One run. `connect` makes a client that is not yet open."""

    def __init__(self, plan: Plan, connect: Callable[[], Client]) -> None:
        self.plan = plan
        self.sent = 0
        self.answered = 0
        self.failures: Counter[str] = Counter()
        self._connect = connect
        self._stopped = False
        self._run: asyncio.Task[Any] | None = None
        self._shown = Shown()
        self._others = 0
        self._answers = array("d")
        self._behind = 0.0
        self._last = 0.0

    def stop(self) -> None:
        """Play no more; the report tells what was. Asked again, do not even wait for that."""
        if self._stopped and self._run is not None:
            self._run.cancel()
        self._stopped = True

    async def run(self) -> Report:
        """Play, and report. Raises what `Client` raises if the board cannot be watched or played at all."""
        plan = self.plan
        self._run = asyncio.current_task()
        publishers = [self._connect() for _ in range(plan.publishers)]
        watchers = [self._connect() for _ in range(plan.watchers)]
        try:
            await asyncio.gather(*(client.open() for client in (*publishers, *watchers)))
            async with AsyncExitStack() as stack:
                for watcher in watchers[:-1]:
                    await stack.enter_async_context(_Watch(watcher, plan.channel, self._count))
                await stack.enter_async_context(
                    _Watch(watchers[-1], plan.channel, self._shown.snapshot)
                )
                crowd = Crowd(plan.players, plan.seed, plan.mode or Mode.CLIMB)
                if plan.mode is None:
                    mode = await _find_out(publishers[0], plan.channel, crowd)
                    crowd = Crowd(plan.players, plan.seed, mode)
                return await self._measure(crowd, publishers)
        finally:
            await asyncio.gather(*(client.close() for client in (*publishers, *watchers)))

    async def _measure(self, crowd: Crowd, publishers: list[Client]) -> Report:
        loop = asyncio.get_running_loop()
        before, others = self._shown.snapshots, self._others
        began = self._last = loop.time()
        offered = await self._play(crowd, publishers)
        seconds = max(self._last - began, offered / self.plan.rate)
        try:
            async with asyncio.timeout(ANSWERS):
                await self._shown.complete()
        except TimeoutError:
            pass  # what is missing is counted
        self._shown.settle()
        failed = self.failures.total()
        seen = self._shown.snapshots - before
        plan = self.plan
        return Report(
            channel=plan.channel,
            mode=crowd.mode,
            seed=plan.seed,
            players=plan.players,
            connections=len(publishers),
            watchers=plan.watchers,
            events_per_publish=plan.events_per_publish,
            seconds=round(seconds, 3),
            offered=offered,
            offered_per_second=plan.rate,
            sent=self.sent,
            answered=self.answered,
            failed=failed,
            unanswered=self.sent - self.answered - failed,
            achieved_per_second=round(self.answered / seconds, 1),
            failures=dict(self.failures.most_common()),
            snapshots=seen,
            snapshots_all=seen + self._others - others,
            not_shown=self._shown.not_shown,
            without_effect=self._shown.without_effect,
            publish_to_snapshot_ms=Spread.of(self._shown.seconds),
            publish_to_answer_ms=Spread.of(self._answers),
            behind_ms=round(self._behind * 1000, 1),
        )

    async def _play(self, crowd: Crowd, publishers: list[Client]) -> int:
        """Let the crowd play for the time planned, or until it is stopped; returns how many events were due."""
        plan, size = self.plan, self.plan.events_per_publish
        loop = asyncio.get_running_loop()
        seats = [_Seat(client, polite=plan.connections is None) for client in publishers]
        places = asyncio.Semaphore(IN_FLIGHT * len(seats))
        publishes = max(1, round(plan.rate * plan.seconds / size))
        began = loop.time()
        try:
            async with asyncio.timeout(None) as patience, asyncio.TaskGroup() as tasks:
                for number in range(publishes):
                    due = began + number * size / plan.rate
                    seat = seats[number % len(seats)]
                    await self._pause(due, seat)
                    await places.acquire()
                    now = loop.time()
                    if self._stopped or now > began + plan.seconds + LATE:
                        break
                    self._behind = max(self._behind, now - due)
                    seat.take(now)
                    events = [crowd.play(number % len(seats), len(seats)) for _ in range(size)]
                    tasks.create_task(self._publish(seat.client, crowd, events, places))
                if self._stopped:
                    publishes = min(publishes, int((loop.time() - began) * plan.rate / size) + 1)
                patience.reschedule(loop.time() + ANSWERS)
        except TimeoutError:
            pass  # what was not answered is counted
        return publishes * size

    async def _pause(self, due: float, seat: _Seat) -> None:
        """Wait for the next event, and let everybody else have a turn even if it is overdue."""
        loop = asyncio.get_running_loop()
        while True:
            left = max(0.0, due - loop.time(), seat.wait(loop.time()))
            await asyncio.sleep(min(left, ATTENTION))
            if left <= ATTENTION or self._stopped:
                return

    async def _publish(
        self,
        client: Client,
        crowd: Crowd,
        events: list[dict[str, Any]],
        places: asyncio.Semaphore,
    ) -> None:
        loop = asyncio.get_running_loop()
        called = loop.time()
        self.sent += len(events)
        try:
            published = await client.publish(self.plan.channel, *events, results=True)
            self._answers.append(loop.time() - called)
            self._note(crowd, published, called)
        except ClientError as error:
            kind = error.error_type if isinstance(error, Refused) else type(error).__name__
            self.failures[kind] += len(events)
        finally:
            places.release()
        self._last = loop.time()

    def _note(self, crowd: Crowd, published: Published, called: float) -> None:
        self.answered += len(published.successful)
        self.failures.update(item.errorType for item in published.failed)
        for result in published.results or ():
            if result is not None and result.score is not None:
                self._shown.event(result.version, called)
                crowd.learn(result.player, result.score)

    def _count(self, _snapshot: Snapshot, _now: float) -> None:
        self._others += 1


class _Seat:
    """A connection and when it was used last. A polite one keeps to AppSync's limit also when it catches up."""

    def __init__(self, client: Client, *, polite: bool) -> None:
        self.client = client
        self._taken: deque[float] = deque(maxlen=LIMIT if polite else 0)

    def wait(self, now: float) -> float:
        """Seconds until it may be used."""
        full = self._taken and len(self._taken) == self._taken.maxlen
        return self._taken[0] + 1.0 - now if full else 0.0

    def take(self, now: float) -> None:
        self._taken.append(now)


class _Watch:
    """A subscriber that tells of each snapshot, for the length of an ``async with``."""

    def __init__(
        self, client: Client, channel: str, see: Callable[[Snapshot, float], None]
    ) -> None:
        self._board = client.subscribe(channel)
        self._see = see
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> None:
        await self._board.__aenter__()
        self._task = asyncio.create_task(self._read(), name="subscriber of a simulation")

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._board.__aexit__()
        if not self._task.cancelled():
            self._task.result()  # what ended it early is no secret

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        async for snapshot in self._board:
            self._see(snapshot, loop.time())


async def _find_out(client: Client, channel: str, crowd: Crowd) -> Mode:
    """The mode that makes a board move: its first player plays twice, and looks at what became of it."""
    player = crowd.players[0]
    event = {"player": player.id, "name": player.name}
    first = await _score(client, channel, {**event, "score": START})
    better = first + START
    second = await _score(client, channel, {**event, "score": better})
    if second == first:
        return Mode.FALL
    return Mode.CLIMB if second == better else Mode.ADD


async def _score(client: Client, channel: str, event: dict[str, Any]) -> float:
    """The score that an event leads to."""
    published = await client.publish(channel, event, results=True)
    result = (published.results or [None])[0]
    if result is None or result.score is None:
        raise ClientError(f"{channel} is no board: it tells no scores")
    return result.score
