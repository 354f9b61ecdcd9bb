"""What processes share through their engine beside boards: texts that are kept, tasks that one does for all, rates.

The contract holds for every engine; what needs several processes is tested on Redis, where there may be some.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import pytest

from leaderboard.engines import Engine, Lease, answer_of
from leaderboard.engines.redis import RedisEngine
from leaderboard.settings import Limits
from tests.engines import Clock, World, eventually, opened
from tests.redis_server import RedisServer

# -- the contract ------------------------------------------------------------------------------------------------------


async def keep(world: World, name: str, text: str | None, lasts: float = 60, most: int = 3) -> bool:
    ends = world.clock.now + lasts
    answer = await answer_of(partial(world.engine.keep, name, text, ends, most))
    assert isinstance(answer, bool)
    return answer


async def kept(world: World) -> set[str]:
    answer = await answer_of(world.engine.kept)
    assert isinstance(answer, list)
    assert len(set(answer)) == len(answer)
    return set(answer)


async def test_texts_are_kept_until_they_end_or_are_taken_back(world: World) -> None:
    assert await kept(world) == set()
    assert await keep(world, "a", "one", lasts=10)
    assert await keep(world, "b", "two")
    assert await keep(world, "b", "three"), "the last one counts"
    assert await kept(world) == {"one", "three"}
    assert await keep(world, "b", None)
    assert await keep(world, "never", None)
    assert await kept(world) == {"one"}
    world.clock.now += 10
    assert await kept(world) == set()


async def test_no_more_texts_are_kept_than_may_be(world: World) -> None:
    for name, lasts in (("a", 10), ("b", 60), ("c", 60)):
        assert await keep(world, name, name, lasts)
    assert not await keep(world, "d", "d")
    assert await keep(world, "c", "another"), "it is there already"
    assert await kept(world) == {"a", "b", "another"}
    world.clock.now += 10
    assert await keep(world, "d", "d"), "one has ended"
    assert await kept(world) == {"b", "another", "d"}


async def test_who_is_alone_leads_and_gets_what_it_asks_for(world: World) -> None:
    assert world.engine.processes == 1
    for seconds in (5.0, 5.0, 0.0):
        assert await answer_of(partial(world.engine.lead, "/a/x", seconds)) is True
    assert await answer_of(world.engine.unled) == []
    lease = await answer_of(partial(world.engine.lease, "ann", 10, 4, 1.0))
    assert isinstance(lease, Lease)
    assert lease.count >= 4


# -- several processes -------------------------------------------------------------------------------------------------

Join = Callable[[], Awaitable[World]]


@pytest.fixture
async def join(redis_server: RedisServer) -> AsyncIterator[Join]:
    """One more process, on the clock of the first."""
    await redis_server.empty()
    clock = Clock()
    async with AsyncExitStack() as stack:

        async def join() -> World:
            def engine(limits: Limits, _: Clock) -> Engine:
                return RedisEngine(redis_server.patient_url, limits, clock)

            world = await stack.enter_async_context(opened(engine, Limits()))
            world.clock = clock
            return world

        yield join


async def lead(world: World, name: str, seconds: float = 3.0) -> bool:
    answer = await answer_of(partial(world.engine.lead, name, seconds))
    assert isinstance(answer, bool)
    return answer


async def unled(world: World) -> list[str]:
    answer = await answer_of(world.engine.unled)
    assert isinstance(answer, list)
    return answer


async def test_one_leads_for_all_until_it_does_not_ask_again(join: Join) -> None:
    one, other = await join(), await join()
    assert await lead(one, "/a/x")
    assert not await lead(other, "/a/x")
    assert await lead(other, "/a/y"), "each name has a leader of its own"
    one.clock.now += 2
    assert await lead(one, "/a/x")
    one.clock.now += 2
    assert await unled(other) == ["/a/y"]
    assert not await lead(other, "/a/x"), "it was renewed"
    one.clock.now += 1
    assert sorted(await unled(other)) == ["/a/x", "/a/y"]
    assert await lead(other, "/a/x")
    assert not await lead(one, "/a/x"), "who comes too late has lost it"
    assert await unled(one) == ["/a/y"]


async def test_what_need_not_be_done_any_more_is_not_offered(join: Join) -> None:
    one, other = await join(), await join()
    assert await lead(one, "/a/x")
    assert not await lead(other, "/a/x", 0), "it is another's to say so"
    assert await lead(one, "/a/x", 0)
    one.clock.now += 60
    assert await unled(other) == []
    assert await lead(other, "/a/x")


async def test_texts_that_one_keeps_all_can_read(join: Join) -> None:
    one, other = await join(), await join()
    await keep(one, "a", "one")
    assert await kept(other) == {"one"}
    await keep(other, "a", None)
    assert await kept(one) == set()


async def test_processes_know_how_many_they_are(join: Join) -> None:
    one, other = await join(), await join()
    await eventually(lambda: one.engine.processes == other.engine.processes == 2)
    await other.engine.stop()
    await eventually(lambda: one.engine.processes == 1)


async def test_leases_of_all_are_never_more_than_the_rate_and_come_back(join: Join) -> None:
    one, other = await join(), await join()
    await eventually(lambda: one.engine.processes == 2)

    async def lease(world: World, wanted: int = 1) -> Lease:
        answer = await answer_of(partial(world.engine.lease, "ann", 100, wanted, 1.0))
        assert isinstance(answer, Lease)
        return answer

    first = await lease(one)
    assert first.count == 100 // 16, "some ahead, while there are many"
    assert (await lease(other, 50)).count == 50
    one.clock.now += 0.25
    given = first.count + 50
    while (more := await lease(one)).count:
        given += more.count
    assert given == 100
    assert more.wait == pytest.approx(0.75)
    one.clock.now += 0.75
    assert (await lease(other, 90)).count == first.count + 50, "as many as were given a second ago"
