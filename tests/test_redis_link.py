"""The link to one Redis server: what is sent once is done once, in its order, or refused."""

from __future__ import annotations

import asyncio
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from leaderboard.engines.link import Link, end
from leaderboard.engines.places import Places
from leaderboard.engines.scripts import Script
from leaderboard.errors import EngineUnavailable
from tests.engines import eventually
from tests.redis_server import RedisServer

TEXT = b"return redis.call('RPUSH', KEYS[1], ARGV[1])"
NOTE = Script(TEXT, sha1(TEXT, usedforsecurity=False).hexdigest())


async def test_a_script_that_was_forgotten_never_runs_after_a_later_one(tmp_path: Path) -> None:
    """Somebody else tells the server the scripts again between two commands of one pipeline."""
    answers: list[Any] = []
    with RedisServer(tmp_path) as server:
        places = Places(server.url)
        link = Link(
            (await places.locate())[0], places, {"note": NOTE}, lambda _: None, lambda *_: None
        )
        await link.open(["poke"])
        link.send(("SCRIPT", "FLUSH"), answers.append)
        link.run("note", "notes", b"1", answers.append)
        link.run("note", "notes", b"2", answers.append)
        link.send(("SCRIPT", "LOAD", NOTE.text), answers.append)
        link.run("note", "notes", b"3", answers.append)
        link.run("note", "notes", b"4", answers.append)
        await eventually(lambda: len(answers) == 6)
        assert sum(isinstance(answer, EngineUnavailable) for answer in answers) == 2
        assert await server.ask("LRANGE", "notes", 0, -1) == [b"3", b"4"]
        await link.close()


@pytest.mark.parametrize("asked", [1, 30])
async def test_a_link_lets_go_whatever_is_on_its_way(tmp_path: Path, asked: int) -> None:
    with RedisServer(tmp_path) as server:
        places = Places(server.url)
        for turn in range(40):
            link = Link(
                (await places.locate())[0], places, {"note": NOTE}, lambda _: None, lambda *_: None
            )
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


async def test_tasks_that_are_ended_have_ended() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(forever()) for _ in range(3)]
    await end(tasks)
    assert all(task.cancelled() for task in tasks)
