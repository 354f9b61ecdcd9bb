"""An engine on a clock of the test's own, and all that it has said; for the contract that every engine fulfils.

An answer may come before the call returns or later, so each is awaited; that it came once, and on the loop's thread, is
checked for all of them when the test ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from leaderboard.engines import Batch, Engine, Outcome, Reading, Running
from leaderboard.errors import Refusal
from leaderboard.events import Event, Score
from leaderboard.people import Person
from leaderboard.ranking import View
from leaderboard.settings import Limits, Namespace

RULES = Namespace(idle_ttl=60)
SUM = Namespace(mode="sum", idle_ttl=60)
TOP = View(top=100)
NOTHING = ("", 0)


class Clock:
    """Seconds since 1970, at the test's command."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class World:
    """An engine, its clock, and all that it has said."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.changed: Counter[str] = Counter()
        self.relayed: list[tuple[str, str]] = []
        self.private: list[str] = []
        """Of these the texts that are for hosts alone."""
        self.revoked: list[tuple[str, float]] = []
        self.answers: Counter[int] = Counter()
        self.threads: set[threading.Thread] = set()
        engine.changed = self._changed
        engine.relayed = self._relayed
        engine.revoked = self._revoked

    def _changed(self, channel: str) -> None:
        self.threads.add(threading.current_thread())
        self.changed[channel] += 1

    def _relayed(self, channel: str, events: Sequence[str], private: bool) -> None:
        self.threads.add(threading.current_thread())
        self.relayed += [(channel, event) for event in events]
        self.private += events if private else ()

    def _revoked(self, token_id: str, until: float) -> None:
        self.threads.add(threading.current_thread())
        self.revoked.append((token_id, until))

    def _asked(self) -> tuple[asyncio.Future[Any], Callable[[Any], None]]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        number = len(self.answers)
        self.answers[number] = 0

        def done(value: Any) -> None:
            self.threads.add(threading.current_thread())
            self.answers[number] += 1
            if not answer.done():
                answer.set_result(value)

        return answer, done

    # asking: the call is made at once, the answer may be awaited

    def apply(
        self,
        channel: str,
        *events: Event,
        rules: Namespace = RULES,
        texts: tuple[str, ...] = (),
        ranked: bool = False,
    ) -> Awaitable[Outcome | Refusal]:
        answer, done = self._asked()
        self.engine.apply(Batch(channel, rules, events, texts, ranked), done)
        return answer

    def read(
        self,
        channel: str,
        *views: View,
        rules: Namespace = RULES,
        floor: tuple[str, int] = NOTHING,
    ) -> Awaitable[Reading]:
        answer, done = self._asked()
        self.engine.read(channel, rules, views or (TOP,), floor, done)
        return answer

    def relay(self, channel: str, *events: str) -> Awaitable[Refusal | None]:
        answer, done = self._asked()
        self.engine.relay(channel, events, done)
        return answer

    def revoke(self, token_id: str, until: float) -> Awaitable[Refusal | None]:
        answer, done = self._asked()
        self.engine.revoke(token_id, until, done)
        return answer

    def find(self, pattern: str, after: str = "", limit: int = 100) -> Awaitable[list[Running]]:
        answer, done = self._asked()
        self.engine.find(pattern, after, limit, done)
        return answer

    def people(self, channel: str, prefix: str = "", limit: int = 100) -> Awaitable[list[Person]]:
        answer, done = self._asked()
        self.engine.people(channel, prefix, limit, done)
        return answer

    # for short

    async def publish(self, channel: str, *events: Event, **options: Any) -> Outcome:
        outcome = await self.apply(channel, *events, **options)
        assert isinstance(outcome, Outcome)
        return outcome

    async def scores(self, channel: str) -> list[tuple[str, float]]:
        rows = (await self.read(channel)).windows[TOP].rows
        assert rows is not None
        return [(row.player, row.score) for row in rows]

    async def lives(self, channel: str) -> bool:
        return (await self.read(channel)).epoch != ""

    async def heard(self) -> Counter[str]:
        """The changes told so far: all of them, since a later one has been heard of."""
        barrier = "/barrier/a"
        before = self.changed[barrier]
        await self.publish(barrier, Score(player="x", score=1.0), rules=SUM)
        await eventually(lambda: self.changed[barrier] > before)
        return Counter({channel: n for channel, n in self.changed.items() if channel != barrier})


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - an engine has no event for "all is said"
            await asyncio.sleep(0.001)


Open = Callable[[Limits, Clock], Engine]
ENGINES = ("memory", "redis", "valkey")
"""What the contract is tested on."""


@asynccontextmanager
async def opened(open_: Open, limits: Limits) -> AsyncIterator[World]:
    clock = Clock()
    world = World(open_(limits, clock), clock)
    await world.engine.start()
    try:
        yield world
        await eventually(lambda: all(world.answers.values()))
        await asyncio.sleep(0)
        assert set(world.answers.values()) <= {1}, "every call is answered, and once"
        assert world.threads <= {threading.current_thread()}, "on the loop's thread"
    finally:
        await world.engine.stop()


Opener = Callable[..., Awaitable[World]]


def score(player: str, value: float, **members: Any) -> Score:
    return Score(player=player, score=value, **members)
