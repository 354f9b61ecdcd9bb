"""The programs in docs/examples, run as their first lines say, against a server like anyone's."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from leaderboard.client import connect
from tests.amplify import APPLICATION
from tests.checkout import ROOT
from tests.conftest import SCOREKEEPER, VIEWER, Server, Start
from tests.needs import needs

EXAMPLES = ROOT / "docs" / "examples"
PROGRAMS = [*EXAMPLES.glob("*.mjs"), *EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.html")]
PATIENCE = 20.0


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: str(program.name))
def test_an_example_can_be_read_at_one_sitting(program: Path) -> None:
    assert len(program.read_text("utf-8").splitlines()) < 60


@asynccontextmanager
async def running(
    server: Server, *command: str | Path, folder: Path = EXAMPLES, **variables: str
) -> AsyncIterator[Process]:
    """An example that finds the server, until the block ends."""
    where = {"LEADERBOARD_URL": server.url, "LEADERBOARD_KEY": SCOREKEEPER, **variables}
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, cwd=folder, env={**os.environ, **where}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def on_node(server: Server, program: str) -> list[str]:
    """The lines that a program for Node.js prints; it must end well by itself."""
    needs("node_modules")
    command = (needs("node"), "--input-type=module", "-")
    # It is read from stdin, because packages are looked for from the folder on.
    async with running(server, *command, folder=APPLICATION.parent) as process, asyncio.timeout(50):
        out, _ = await process.communicate((EXAMPLES / program).read_bytes())
    assert process.returncode == 0
    return out.decode().splitlines()


async def line_of(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        return (await process.stdout.readline()).decode().rstrip("\n")


async def rows(server: Server, board: str) -> list[tuple[str, float]]:
    """A board as anyone sees it."""
    async with (
        connect(server.url, VIEWER) as client,
        client.subscribe(board) as snapshots,
        asyncio.timeout(PATIENCE),
    ):
        async for snapshot in snapshots:
            return [(row.player, row.score) for row in snapshot.rows or ()]
    raise AssertionError("unreachable")


# -- Node.js -----------------------------------------------------------------------------------------------------------


async def test_amplify_sees_the_ranking_of_what_it_published(server: Server) -> None:
    lines = await on_node(server, "amplify.mjs")
    assert lines[0] == "empty"
    assert lines[-1] == "1. ann 120, 2. bob 90"


async def test_the_announcements_flow_ends_as_it_would_at_aws(server: Server) -> None:
    lines = await on_node(server, "announcement.mjs")
    totals = [int(line.split()[1]) for line in lines]
    assert totals == sorted(totals, reverse=True)
    assert sorted(lines) == sorted(expected())


def expected() -> list[str]:
    """What the gains that it posts add up to."""
    players = ["abc123", "def456", "hij789", "kln123", "opq456"]
    totals = dict.fromkeys(players, 0)
    for number in range(11):
        totals[players[number % 5]] += number * 7 % 20
    return [f"{player} {total}" for player, total in totals.items()]


# -- Python ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def game(server: Server) -> AsyncIterator[int]:
    """The game server; the port that it plays on."""
    async with running(server, sys.executable, "game_server.py", GAME_PORT="0") as process:
        said = re.fullmatch(r"playing on 127\.0\.0\.1:(\d+)", await line_of(process))
        assert said
        yield int(said[1])


async def told(port: int, *lines: bytes) -> list[str]:
    """What the game server answers to lines of one player."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    async with asyncio.timeout(PATIENCE):
        for line in lines:
            writer.write(line)
            answers.append((await reader.readline()).decode().rstrip())
        writer.close()
        await writer.wait_closed()
    return answers


async def test_the_game_server_alone_decides_what_a_call_is_worth(server: Server) -> None:
    async with game(server) as port:
        answers = await told(port, *[b"ann heads\n"] * 20)
        total = streak = 0
        for answer in answers:
            coin, has = re.fullmatch(r"(heads|tails); you have (\d+)", answer).groups()  # type: ignore[union-attr]
            streak = streak + 1 if coin == "heads" else 0
            total += streak
            assert int(has) == total
        assert await rows(server, "/leaderboard/coin") == [("ann", total)]


async def test_the_game_server_is_not_talked_into_points(server: Server) -> None:
    async with game(server) as port:
        wrong = [
            b"ann 1000\n",
            b"ann\n",
            b"\n",
            b"{} heads\n",
            b"\xff\xfe heads\n",
            b"ann heads x\n",
        ]
        answers = await told(port, *wrong)
        assert answers == ["say your name and heads or tails, as: ann heads"] * len(wrong)
        assert await rows(server, "/leaderboard/coin") == []


async def test_totals_come_back_after_the_leaderboard_has_forgotten_them(start: Start) -> None:
    server = await start()
    async with game(server) as port:
        before = await told(port, *[b"ann tails\n"] * 5)
        await server.stop()
        server = await start(server.port)
        (after,) = await told(port, b"ann tails\n")
        total = int(after.split()[3])
        assert total >= int(before[-1].split()[3])
        assert await rows(server, "/leaderboard/coin") == [("ann", total)]


async def test_a_game_is_played_in_the_terminal_to_its_end(server: Server) -> None:
    async with running(server, sys.executable, "-u", "terminal_game.py", "ann") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        points = 0
        for right in (True, True, False, True):
            async with asyncio.timeout(PATIENCE):
                asked = (await process.stdout.readuntil(b" = ")).decode()
            a, b = map(int, re.findall(r"\d+", asked.splitlines()[-1]))
            said = str(a + b if right else a + b + 1)
            points += len(said) * right
            process.stdin.write(f"{said}\n".encode())
            answer = await line_of(process)
            assert answer == (f"  {points} points, rank 1" if right else f"  no, {a + b}")
        process.stdin.write(b"\n")
        async with asyncio.timeout(PATIENCE):
            out, _ = await process.communicate()
    assert process.returncode == 0
    assert f"Over with {points} points." in out.decode()
    assert re.search(rf"1 +ann +{points}\n", out.decode())
    assert await rows(server, "/leaderboard/sums") == [("ann", points)]


async def test_what_comes_after_the_end_of_the_game_does_not_count(server: Server) -> None:
    command = (sys.executable, "-u", "terminal_game.py", "ann")
    async with running(server, *command, SECONDS_OF_PLAY="0.01") as process:
        async with asyncio.timeout(PATIENCE):
            asked = await process.stdout.readuntil(b" = ")  # type: ignore[union-attr]
            await asyncio.sleep(0.02)  # until the end of a game that lasts half as long
            a, b = map(int, re.findall(rb"\d+", asked))
            out, _ = await process.communicate(f"{a + b}\n".encode())
    assert "too late" in out.decode()
    assert await rows(server, "/leaderboard/sums") == []


async def test_a_player_of_the_terminal_game_may_come_with_a_token(server: Server) -> None:
    token, _ = server.app.state.auth.issue("player", "/leaderboard/sums", "ann", 60)
    command = (sys.executable, "-u", "terminal_game.py", "ann")
    variables = {"LEADERBOARD_TOKEN": token, "LEADERBOARD_KEY": VIEWER}
    async with running(server, *command, **variables) as process, asyncio.timeout(PATIENCE):
        asked = await process.stdout.readuntil(b" = ")  # type: ignore[union-attr]
        a, b = map(int, re.findall(rb"\d+", asked))
        out, _ = await process.communicate(f"{a + b}\n\n".encode())
    assert process.returncode == 0
    assert re.search(r"1 +ann +\d", out.decode())
