"""The link to one Redis server: what is sent once is done once, in its order, or refused."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from leaderboard.engines.link import Link, end
from leaderboard.engines.places import Places
from leaderboard.engines.scripts import Script
from leaderboard.errors import EngineUnavailable, OutcomeUnknown
from tests.engines import eventually
from tests.redis_server import RedisServer

TEXT = b"return redis.call('RPUSH', KEYS[1], ARGV[1])"
NOTE = Script(TEXT, sha1(TEXT, usedforsecurity=False).hexdigest())


def link_to(
    port: int, options: str = "", heard: Callable[[bytes, bytes], None] = lambda *_: None
) -> Link:
    places = Places(f"redis://127.0.0.1:{port}?{options}")
    return Link(("127.0.0.1", port), places, {"note": NOTE}, lambda _: None, heard)


@asynccontextmanager
async def linked(port: int, options: str = "", **given: Any) -> AsyncIterator[Link]:
    """Let go of also where the test fails: a connection that is left keeps uvloop from closing."""
    link = link_to(port, options, **given)
    try:
        await link.open(["poke"])
        yield link
    finally:
        await link.close()


async def test_a_script_that_was_forgotten_never_runs_after_a_later_one(tmp_path: Path) -> None:
    """Somebody else tells the server the scripts again between two commands of one pipeline."""
    answers: list[Any] = []
    with RedisServer(tmp_path) as server:
        async with linked(server.port) as link:
            link.send(("SCRIPT", "FLUSH"), answers.append)
            link.run("note", "notes", b"1", answers.append)
            link.run("note", "notes", b"2", answers.append)
            link.send(("SCRIPT", "LOAD", NOTE.text), answers.append)
            link.run("note", "notes", b"3", answers.append)
            link.run("note", "notes", b"4", answers.append)
            await eventually(lambda: len(answers) == 6)
            assert sum(isinstance(answer, EngineUnavailable) for answer in answers) == 2
            assert await server.ask("LRANGE", "notes", 0, -1) == [b"3", b"4"]


@pytest.mark.parametrize("asked", [1, 30])
async def test_a_link_lets_go_whatever_is_on_its_way(tmp_path: Path, asked: int) -> None:
    with RedisServer(tmp_path) as server:
        for turn in range(40):
            link = link_to(server.port)
            await link.open(["poke"])
            answers: list[Any] = []
            for n in range(asked):
                link.run("note", "notes", str(n).encode(), answers.append)
            for _ in range(turn % 8):  # from the first pass of the loop to after the answer
                await asyncio.sleep(0)
            async with asyncio.timeout(5):
                await link.close()
            assert len(answers) == asked, "each is answered, by the server or by its going"


async def test_a_cluster_that_is_down_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It refuses every command; served in between, it is news again."""

    def said() -> int:
        errors = [record for record in caplog.records if record.levelname == "ERROR"]
        return sum("not served" in record.getMessage() for record in errors)

    with RedisServer(tmp_path, "--cluster-enabled", "yes") as node:
        places = Places(f"redis+cluster://127.0.0.1:{node.port}")
        link = Link(
            ("127.0.0.1", node.port), places, {"note": NOTE}, lambda _: None, lambda *_: None
        )
        link.begin(["poke"])
        await eventually(lambda: link.up)

        async def asked(times: int) -> list[Any]:
            answers: list[Any] = []
            for _ in range(times):
                link.run("note", "notes", b"1", answers.append)
                await eventually(lambda: len(answers) > 0)
            await eventually(lambda: len(answers) == times)
            return answers

        assert all(isinstance(answer, EngineUnavailable) for answer in await asked(20))
        assert said() == 1
        await node.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        async with asyncio.timeout(20):
            while isinstance((await asked(1))[0], EngineUnavailable):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert said() == 1
        await node.ask("CLUSTER", "DELSLOTSRANGE", 0, 16383)
        assert all(isinstance(answer, EngineUnavailable) for answer in await asked(20))
        assert said() == 2
        await link.close()


async def test_a_connection_that_is_reset_while_nothing_is_asked_is_made_anew(
    tmp_path: Path,
) -> None:
    """As a machine between does that has forgotten it. The loop of the server says it in its own way."""
    with RedisServer(tmp_path) as server:
        passages: list[asyncio.StreamWriter] = []
        over: list[asyncio.StreamWriter] = []

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            passages.append(writer)
            behind, before = await asyncio.open_connection("127.0.0.1", server.port)

            async def pump(one: asyncio.StreamReader, other: asyncio.StreamWriter) -> None:
                with suppress(OSError, RuntimeError):
                    while data := await one.read(65536):
                        other.write(data)
                other.close()

            await asyncio.gather(pump(reader, before), pump(behind, writer))
            over.append(writer)

        between = await asyncio.start_server(pass_on, "127.0.0.1", 0)
        async with between, linked(between.sockets[0].getsockname()[1]) as link:
            for passage in passages:  # closed so, the kernel sends a reset
                passage.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                passage.transport.abort()
            # Who listens has noticed, and is there again.
            await eventually(lambda: len(passages) > 2)
            answers: list[Any] = []
            link.run("note", "notes", b"1", answers.append)
            await eventually(lambda: len(answers) == 1)
            assert isinstance(answers[0], OutcomeUnknown)
            await eventually(lambda: link.up)
            link.run("note", "notes", b"2", answers.append)
            await eventually(lambda: len(answers) == 2)
            assert answers[1] == 1, "the first was not done"
        await eventually(lambda: len(over) == len(passages))


async def test_what_waits_when_a_link_lets_go_is_told_what_became_of_it(tmp_path: Path) -> None:
    answers: list[tuple[str, Any]] = []

    def asked(name: str) -> Callable[[Any], None]:
        return lambda answer: answers.append((name, answer))

    with RedisServer(tmp_path) as server:
        link = link_to(server.port, "socket_timeout=20")
        await link.open(["poke"])
        link.send(("SCRIPT", "FLUSH"), asked("flush"))
        link.run("note", "notes", b"1", asked("forgotten"))
        link.send(("PING",), asked("ping"))
        link.send(("BLPOP", "nothing", 0), asked("open"))
        await eventually(lambda: len(answers) == 2)
        await link.close()
        link.run("note", "notes", b"2", asked("late"))
        told = {name: type(answer) for name, answer in answers[2:]}
        assert told == {
            "forgotten": EngineUnavailable,
            "open": OutcomeUnknown,
            "late": EngineUnavailable,
        }
        assert await server.ask("LRANGE", "notes", 0, -1) == []


async def test_a_link_that_listens_elsewhere_hears_nothing_twice(tmp_path: Path) -> None:
    heard: list[tuple[bytes, bytes]] = []
    with RedisServer(tmp_path) as server:
        async with linked(server.port, heard=lambda *what: heard.append(what)) as link:
            await link.listen_to(["one", "both"])
            await link.listen_to(["both", "other"])
            await server.until(b"other", "PUBSUB", "CHANNELS")
            for channel in ("one", "both", "other"):
                await server.ask("PUBLISH", channel, "x")
            await eventually(lambda: len(heard) == 2)
            assert heard == [(b"both", b"x"), (b"other", b"x")]


async def test_tasks_that_are_ended_have_ended() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(forever()) for _ in range(3)]
    await end(tasks)
    assert all(task.cancelled() for task in tasks)
