"""What goes wrong with a Redis server, and what its users see of it: each row of the table of faults.

How long a server may be silent can be tried by hand: ``python -m tests.test_redis_faults SECONDS``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from leaderboard.board import Applied
from leaderboard.engines import CannotOpen, Outcome, Reading, answer_of
from leaderboard.engines.places import Places, Unusable
from leaderboard.engines.redis import RedisEngine
from leaderboard.errors import (
    ConfigMismatch,
    EngineFull,
    EngineUnavailable,
    OutcomeUnknown,
    Refusal,
)
from leaderboard.events import Freeze, Reveal
from leaderboard.settings import Limits, Namespace
from tests.engines import RULES, SUM, TOP, Clock, World, eventually, score
from tests.needs import Need
from tests.redis_server import RedisServer, free_port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that may be harmed."""
    with RedisServer(tmp_path) as server:
        yield server


class Process:
    """What one process of many is to the engine; it notes what it was told of its servers' health."""

    def __init__(self, url: str) -> None:
        self.engine = RedisEngine(url, Limits())
        self.world = World(self.engine, Clock())
        self.health: list[bool] = []
        self.engine.health = self.health.append


Join = Callable[[], Awaitable[Process]]


@pytest.fixture
async def join(server: RedisServer) -> AsyncIterator[Join]:
    """Starts one more process."""
    async with AsyncExitStack() as stack:

        async def join() -> Process:
            process = Process(server.url)
            await process.engine.start()
            stack.push_async_callback(process.engine.stop)
            return process

        yield join


async def until_applied(process: Process, player: str, n: int) -> Outcome:
    """Send an event again and again until it is answered, as a client does."""
    async with asyncio.timeout(60):
        while True:
            outcome = await process.world.apply("/a/x", score(player, 1, by="c", n=n), rules=SUM)
            if isinstance(outcome, Outcome):
                return outcome
            await asyncio.sleep(0.05)


async def test_what_one_process_does_the_others_hear_of(join: Join) -> None:
    one, other = await join(), await join()
    await one.world.publish("/a/x", score("ann", 5))
    await eventually(lambda: other.world.changed["/a/x"] > 0)
    assert await other.world.scores("/a/x") == [("ann", 5)]
    await other.world.relay("/r/x", "1", "2")
    await eventually(lambda: len(one.world.relayed) == len(other.world.relayed) == 2)
    await one.world.revoke("t", 4_000_000_000.0)
    await eventually(lambda: other.world.revoked == [("t", 4_000_000_000.0)])
    late = await join()
    await eventually(lambda: late.world.revoked == [("t", 4_000_000_000.0)])


async def test_who_watches_is_counted_over_all_processes(join: Join) -> None:
    one, other = await join(), await join()
    told: list[tuple[str, int]] = []
    one.engine.watched = lambda *what: told.append(what)
    one.engine.watch("/a/x", 2)
    other.engine.watch("/a/x", 3)
    await eventually(lambda: ("/a/x", 3) in told)
    assert (await one.world.read("/a/x")).elsewhere == 3
    assert (await other.world.read("/a/x")).elsewhere == 2
    await other.engine.stop()
    assert (await one.world.read("/a/x")).elsewhere == 0


@pytest.mark.parametrize("ahead", [0, 3600])
async def test_watchers_of_a_process_that_is_killed_count_no_more(
    monkeypatch: pytest.MonkeyPatch, server: RedisServer, join: Join, ahead: int
) -> None:
    """It tells nobody, and nothing else changes. Redis' clock may have been ahead when it last said that it lives."""
    monkeypatch.setattr("leaderboard.engines.redis.ALIVE", 1.0)
    one, other = await join(), await join()
    told: list[tuple[str, int]] = []
    one.engine.watched = lambda *what: told.append(what)
    one.engine.watch("/a/x", 2)
    other.engine.watch("/a/x", 3)
    await eventually(lambda: told[-1:] == [("/a/x", 3)])
    for task in other.engine._tasks:
        task.cancel()
    if ahead:
        await server.ask("ZINCRBY", "lb1:{0}:up", ahead, other.engine._servers.process)
    await eventually(lambda: told[-1:] == [("/a/x", 0)])


async def test_a_server_that_comes_back_empty_is_a_new_beginning(
    server: RedisServer, join: Join
) -> None:
    process = await join()
    await process.world.publish("/a/x", score("ann", 5))
    await process.world.revoke("t", 4_000_000_000.0)
    epoch = (await process.world.read("/a/x")).epoch
    server.kill()
    await eventually(lambda: process.health == [False])
    refusal = await process.world.apply("/a/x", score("ann", 6))
    assert isinstance(refusal, EngineUnavailable)
    unread: Reading | Refusal = await process.world.read("/a/x")
    assert isinstance(unread, EngineUnavailable)
    assert not process.engine.reaches("/a/x")
    server.start()
    await eventually(lambda: process.health == [False, True])
    await process.world.publish("/a/x", score("ann", 1))
    reading = await process.world.read("/a/x", floor=(epoch, 1))
    assert reading.epoch not in ("", epoch)
    assert await process.world.scores("/a/x") == [("ann", 1)]
    late = await join()
    await eventually(lambda: late.world.revoked != [])


async def test_a_silent_server_applies_each_numbered_event_once(
    server: RedisServer, join: Join
) -> None:
    await play_through_silence(server, await join(), 2.5)


async def play_through_silence(
    server: RedisServer, process: Process, seconds: float
) -> tuple[int, int]:
    """Ten send numbered events, each again until it is answered, while the server is silent: every one counts once.

    How many there were, and how many of them had been applied before they were sent again.
    """
    over = asyncio.Event()
    repeated = 0

    async def play(player: str) -> tuple[str, int]:
        nonlocal repeated
        n = 0
        while not over.is_set():
            n += 1
            [applied] = (await until_applied(process, player, n)).events
            repeated += isinstance(applied, Applied) and applied.duplicate
            await asyncio.sleep(0.02)
        return player, n

    playing = [asyncio.create_task(play(f"p{number}")) for number in range(10)]
    await asyncio.sleep(0.2)
    server.pause()
    await asyncio.sleep(seconds)
    server.resume()
    await eventually(lambda: process.health[:2] == [False, True])
    await asyncio.sleep(0.5)
    over.set()
    played = await asyncio.gather(*playing)
    assert sorted(await process.world.scores("/a/x")) == sorted(played)
    return sum(n for _, n in played), repeated


async def test_what_was_asked_of_a_silent_server_is_unknown(
    server: RedisServer, join: Join
) -> None:
    process = await join()
    await process.world.publish("/a/x", score("ann", 5))
    server.pause()
    refusal = await process.world.apply("/a/x", score("ann", 6))
    assert isinstance(refusal, OutcomeUnknown)
    server.resume()


async def test_scripts_that_are_forgotten_are_loaded_again(server: RedisServer, join: Join) -> None:
    process = await join()
    await server.ask("SCRIPT", "FLUSH")
    asked = [process.world.apply("/a/x", score("ann", n), rules=SUM) for n in range(1, 21)]
    outcomes = [await answer for answer in asked]
    assert [outcome.version for outcome in outcomes if isinstance(outcome, Outcome)] == list(
        range(1, 21)
    )
    assert process.health == []


async def test_without_messages_changes_are_heard_of_all_the_same(
    server: RedisServer, join: Join
) -> None:
    one, other = await join(), await join()
    for n in range(5):
        await server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        before = other.world.changed["/a/x"]
        await one.world.publish("/a/x", score("ann", n))
        await eventually(lambda before=before: other.world.changed["/a/x"] > before)  # type: ignore[misc]
    await asyncio.sleep(0.3)
    await one.world.relay("/r/x", "1")
    await eventually(lambda: other.world.relayed == [("/r/x", "1")])


async def test_a_lost_change_log_makes_all_boards_due(server: RedisServer, join: Join) -> None:
    one, other = await join(), await join()
    await one.world.publish("/a/x", score("ann", 5), score("bob", 5))
    await eventually(lambda: other.world.changed["/a/x"] > 0)
    await server.ask("DEL", "lb1:{0}:log", "lb1:{0}:ctl")
    await one.world.publish("/a/x", score("ann", 6))
    await eventually(lambda: bool(other.health) and bool(one.health))
    assert await server.ask("HGET", "lb1:{0}:ctl", "entries") == b"2"


async def test_a_full_server_refuses_and_does_nothing(server: RedisServer, join: Join) -> None:
    process, other = await join(), await join()
    await process.world.publish("/a/x", score("ann", 5))
    await server.ask("CONFIG", "SET", "maxmemory", "1mb")
    assert isinstance(await process.world.apply("/a/x", score("bob", 5)), EngineFull)
    assert await process.world.scores("/a/x") == [("ann", 5)]
    # What writes all the same, here that a version was lost, is heard of.
    before, epoch = other.world.changed["/a/x"], (await process.world.read("/a/x")).epoch
    await process.world.read("/a/x", floor=(epoch, 9))
    await eventually(lambda: other.world.changed["/a/x"] > before)
    await server.ask("CONFIG", "SET", "maxmemory", "0")
    await process.world.publish("/a/x", score("bob", 6))
    assert process.health == []


async def test_processes_with_other_rules_for_a_board_do_not_mix_them(join: Join) -> None:
    process = await join()
    await process.world.publish("/a/x", score("ann", 5), rules=RULES)
    refusal = await process.world.apply("/a/x", score("ann", 5), rules=SUM)
    assert isinstance(refusal, ConfigMismatch)
    assert "best" in refusal.message


@pytest.mark.parametrize("key", ["lb1:{0}:/a/x:h", "lb1:{0}:/a/x:z", "lb1:{0}:/a/x:m"])
async def test_another_programs_key_is_left_alone(
    server: RedisServer, join: Join, key: str
) -> None:
    process = await join()
    await server.ask("SET", key, "mine")
    assert isinstance(await process.world.apply("/a/x", score("ann", 5)), EngineUnavailable)
    assert await server.ask("GET", key) == b"mine"
    assert isinstance(await process.world.apply("/a/y", score("ann", 5)), Outcome)


async def test_every_key_expires(server: RedisServer, join: Join) -> None:
    process = await join()
    process.engine.watch("/a/x", 1)
    await process.world.revoke("t", 4_000_000_000.0)
    await answer_of(partial(process.engine.keep, "k", "text", 4_000_000_000.0, 10))
    await answer_of(partial(process.engine.lead, "/a/x", 3.0))
    await answer_of(partial(process.engine.lease, "ann", 10, 1, 1.0))
    rules = Namespace(mode="sum", idle_ttl=60)
    await process.world.publish("/a/x", score("ann", 5, n=1), rules=rules)
    await process.world.publish("/a/y", score("ann", 5), rules=rules)
    await process.world.read("/a/x")
    keys = await server.ask("KEYS", "*")
    assert len(keys) > 13
    assert [key for key in keys if await server.ask("TTL", key) < 0] == []


async def test_a_version_that_was_lost_is_not_shown_again(server: RedisServer, join: Join) -> None:
    process = await join()
    for n in range(1, 4):
        await process.world.publish("/a/x", score("ann", n))
    epoch = (await process.world.read("/a/x")).epoch
    # As a replica that lacks the last thirty publishes becomes the master.
    reading = await process.world.read("/a/x", floor=(epoch, 33))
    assert reading.version == 34
    outcome = await process.world.publish("/a/x", score("ann", 9))
    assert outcome.version == 35
    assert isinstance(outcome.events[0], Applied)


async def test_a_version_that_was_lost_is_given_again_by_no_process(
    server: RedisServer, join: Join
) -> None:
    """An older copy of the boards is served, as by a replica that was behind; who has seen more may not be here."""
    one, other = await join(), await join()

    async def stands(process: Process, path: str) -> tuple[str, int]:
        reading = await process.world.read(path)
        return reading.epoch, reading.windows[TOP].version

    for n in range(1, 6):
        await one.world.publish("/a/x", score("ann", n))
        await one.world.publish("/a/y", score("ann", n), score("bob", n))
    await one.world.publish("/a/y", Freeze())
    await server.ask("SAVE")
    for n in range(6, 31):
        await one.world.publish("/a/x", score("ann", n))
        await one.world.publish("/a/y", score("ann", n))
    await one.world.publish("/a/y", Reveal(steps=1))
    (epoch, seen), (frozen, shown) = await stands(one, "/a/x"), await stands(one, "/a/y")
    assert (seen, shown) == (30, 32)
    server.kill()
    server.start()
    for process in (one, other):
        await eventually(lambda each=process: each.health[-1:] == [True])  # type: ignore[misc]
    # The first to be asked never knew of what was lost, and says no floor.
    again, version = await stands(other, "/a/x")
    assert again == epoch
    assert version > seen
    assert await other.world.scores("/a/x") == [("ann", 5)]
    again, version = await stands(other, "/a/y")
    assert again == frozen
    assert version > shown
    # And once is enough: the other process, and one more, find it as it is.
    await join()
    assert await stands(one, "/a/x") == await stands(other, "/a/x")
    at = (await stands(one, "/a/x"))[1]
    assert (await one.world.publish("/a/x", score("ann", 40))).version == at + 1


# -- at the start ------------------------------------------------------------------------------------------------------


async def refusal_of(url: str) -> str:
    engine = RedisEngine(url, Limits())
    with pytest.raises(CannotOpen) as raised:
        await engine.start()
    return str(raised.value)


async def test_a_wrong_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboard.engines.servers.START", 0.3)
    port = free_port()
    assert f"127.0.0.1:{port}" in await refusal_of(f"redis://127.0.0.1:{port}")


async def test_a_wrong_password_is_told(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--requirepass", "right") as server:
        url = server.url.replace("//", "//:wrong@")
        assert "user and password" in await refusal_of(url)
        engine = RedisEngine(server.url.replace("//", "//:right@"), Limits())
        await engine.start()
        await engine.stop()


@pytest.mark.parametrize("program", ["redis-server", "valkey-server"])
async def test_a_cluster_and_a_single_server_are_told_apart(
    tmp_path: Path, server: RedisServer, program: Need
) -> None:
    with RedisServer(tmp_path / "..", "--cluster-enabled", "yes", program=program) as member:
        assert "redis+cluster://" in await refusal_of(member.url)
    assert "is no cluster" in await refusal_of(server.url.replace("redis", "redis+cluster", 1))


async def test_a_server_that_is_too_old_is_told(tmp_path: Path) -> None:
    with RedisServer(tmp_path, program="old-redis-server") as old:
        assert "Redis 6.2.5 is too old: 7.0 or newer is needed, or Valkey" in await refusal_of(
            old.url
        )


def test_by_its_words_a_server_is_too_old_or_will_do() -> None:
    places = Places("redis://127.0.0.1")
    with pytest.raises(Unusable, match=r"6\.2\.14 is too old: 7\.0 or newer"):
        places.check("redis_version:6.2.14\r\nredis_mode:standalone\r\n")
    places.check("redis_version:7.2.4\r\nserver_name:valkey\r\nredis_mode:standalone\r\n")


async def main(seconds: float) -> None:
    """A longer silence, by hand."""
    with TemporaryDirectory() as folder, RedisServer(Path(folder)) as server:
        process = Process(server.url)
        await process.engine.start()
        events, repeated = await play_through_silence(server, process, seconds)
        await process.engine.stop()
    print(f"{seconds:g} s of silence: {events} events, {repeated} of them repeats; all count once")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
