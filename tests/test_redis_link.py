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


async def test_tasks_that_are_ended_have_ended() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(forever()) for _ in range(3)]
    await end(tasks)
    assert all(task.cancelled() for task in tasks)
