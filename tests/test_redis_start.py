"""A process that is started on a Redis that will not do says why, and what to do; and never a password."""

from __future__ import annotations

import asyncio

import pytest

from leaderboard.engines import CannotOpen
from leaderboard.engines.redis import RedisEngine
from leaderboard.settings import Limits
from tests.engines import Clock, World, eventually, score
from tests.processes import serve
from tests.redis_server import RedisServer

SECRET = "a secret that all processes of a test have"


async def refusal_of(url: str) -> str:
    """Why no process starts there."""
    engine = RedisEngine(url, Limits())
    with pytest.raises(CannotOpen) as raised:
        await engine.start()
    return str(raised.value)


# -- versions that keep boards in another way --------------------------------------------------------------------------


async def no_other_layout(url: str, patch: pytest.MonkeyPatch) -> None:
    """While a process lives at a URL, one whose keys lie in another way does not start there, and no key is shared."""
    engine = RedisEngine(url, Limits())
    world = World(engine, Clock())
    await engine.start()
    with patch.context() as newer:
        newer.setattr("leaderboard.engines.places.LAYOUT", "lb2")
        said = await refusal_of(url)
    assert "(lb1, not lb2)" in said
    assert "end them and wait 20 seconds, or name another Redis" in said
    await world.publish("/a/x", score("ann", 5))
    again = RedisEngine(url, Limits())
    await again.start()
    for each in (again, engine):
        await each.stop()


async def test_another_layout_does_not_start_beside_this_one(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis_server.empty()
    await no_other_layout(redis_server.patient_url, monkeypatch)
    keys = await redis_server.ask("KEYS", "*")
    assert not [key for key in keys if key.startswith(b"lb2")]
    left = await redis_server.ask("TTL", "lb:{0}:layout")
    assert 15 <= left <= 20, "forgotten when all have ended, however they ended"
    await redis_server.empty()


async def test_the_layout_in_use_is_said_again_and_another_is_told_of(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a restart of Redis: what was said is lost, and others may have been first."""
    await redis_server.empty()
    monkeypatch.setattr("leaderboard.engines.redis.SWEEP", 0.05)
    engine = RedisEngine(redis_server.patient_url, Limits())
    await engine.start()

    await redis_server.ask("DEL", "lb:{0}:layout")
    async with asyncio.timeout(10):
        while await redis_server.ask("GET", "lb:{0}:layout") != b"lb1":
            pass
    await redis_server.ask("SET", "lb:{0}:layout", "lb2")
    await eventually(lambda: "another version use this Redis too" in caplog.text)
    assert await redis_server.ask("GET", "lb:{0}:layout") == b"lb2"
    await engine.stop()
    await redis_server.empty()


async def test_a_server_that_may_not_start_ends_and_says_why_in_one_line(
    redis_server: RedisServer,
) -> None:
    await redis_server.empty()
    await redis_server.ask("SET", "lb:{0}:layout", "lb2", "EX", 60)
    for flags in ((), ("--workers", "2")):
        async with serve(*flags, engine_url=redis_server.patient_url, secret=SECRET) as server:
            assert await server.ends(None) == 1
            assert "engine_url: processes of another version" in server.said
            assert len(server.said.splitlines()) <= 3, server.said
    await redis_server.empty()
