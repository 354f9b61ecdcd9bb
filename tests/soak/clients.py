"""Clients that come and go, in a process that is killed: `python -m tests.soak.clients URL CONNECTIONS RATE`.

A connection lives a few seconds, watches the board that all share and one of its own, and publishes in its turn. Each
line on standard output tells of a connection (`C`), of what is about to be sent (`S` and the player), of what was
acknowledged (`A` and the player) or of a fault (`F` and what it was).

Whatever this imports is paid for each time that one is killed, on the cores that the server runs on too.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time

from uvicorn.loops.auto import auto_loop_factory

from tests.appsync import connect

KEY = "LEADERBOARD_SOAK_KEY"
"""The variable of the environment that brings the key."""
BOARD = "/soak/board"
PLAYERS = 10_000
"""All have scored within the first minutes: from then on the board does not grow."""


class Pace:
    """Turns at a rate; of those that were missed, a second's are made up for."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._next = time.monotonic()

    async def turn(self) -> None:
        now = time.monotonic()
        self._next = max(self._next, now - 1.0) + 1 / self._rate
        await asyncio.sleep(max(0.0, self._next - now))


def say(*words: str) -> None:
    os.write(1, f"{' '.join(words)}\n".encode())


async def work(url: str, connections: int, rate: float) -> None:
    """Ends only by being killed."""
    pace = Pace(rate)

    async def one() -> None:
        while True:
            try:
                await come_and_go(url, pace)
            except Exception as error:
                say("F", repr(error))
                await asyncio.sleep(1)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(one())


async def come_and_go(url: str, pace: Pace) -> None:
    until = time.monotonic() + random.uniform(2, 10)
    async with connect(url, os.environ[KEY]) as client:
        say("C")
        await client.subscribe(BOARD, view={"top": 3})
        own = f"/brief/b{random.randrange(10**9)}"
        await client.subscribe(own)
        await client.publish(own, {"player": "me", "score": 1})
        while time.monotonic() < until:
            await pace.turn()
            player = f"p{random.randrange(PLAYERS)}"
            say("S", player)
            answer = await client.publish(BOARD, {"player": player, "score": 1})
            if answer["type"] == "publish_success":
                say("A", player)
            else:
                say("F", str(answer))
            client.frames.clear()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(work(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
