"""Connections come and go, whole client processes are killed, and what was acknowledged is compared with the board.

What the clients of `tests.soak.clients` are about to send and what was acknowledged they tell a line each, so that
nothing of it is lost with a process.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.appsync import eventually
from tests.checkout import ROOT
from tests.conftest import ADMIN
from tests.soak.clients import BOARD, KEY
from tests.soak.served import Failed, must, serving, slope

WARM_UP = 1 / 3
"""Share of the run in which memory may grow: caches, arenas of the allocator, the board itself."""
LEAK = 0.25
"""MB per minute that memory may seem to grow by afterwards. 80 connections a second make that 50 bytes for each, and
2,000 publishes a second 2 bytes: not even the smallest object is kept of one."""
JUDGED = 300.0
"""Seconds behind the warm-up that a slope needs to say something: 100 connections more or less are 3 MB at once."""


@dataclass
class Ledger:
    """What the clients say: how many points each player was about to send, and how many were acknowledged."""

    sent: Counter[str] = field(default_factory=Counter)
    acknowledged: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """What went wrong for clients that nobody had killed."""

    async def keep(self, process: Process) -> None:
        """Write down what a process says until it is dead; of a line only when it is whole."""
        assert process.stdout is not None
        async for line in process.stdout:
            if line.endswith(b"\n"):
                what, _, rest = line.decode().strip().partition(" ")
                match what:
                    case "S":
                        self.sent[rest] += 1
                    case "A":
                        self.acknowledged[rest] += 1
                    case "C":
                        self.connections += 1
                    case _:
                        self.faults[rest] += 1


async def run(seconds: float, connections: int, rate: float, processes: int = 5) -> dict[str, Any]:
    """Raises `Failed`; returns the figures."""
    ledger, killed = Ledger(), 0
    memory: list[tuple[float, float]] = []
    open_at_most = boards_at_most = tasks_at_most = 0.0
    async with serving() as server:

        async def worker() -> Process:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.soak.clients", server.socket_url),
                *(str(connections // processes), str(rate / processes)),
                env=os.environ | {KEY: ADMIN},
                cwd=ROOT,
                stdout=PIPE,
                stderr=DEVNULL,
            )

        before = await server.metrics()
        workers = [await worker() for _ in range(processes)]
        readers = [asyncio.create_task(ledger.keep(process)) for process in workers]
        try:
            async with asyncio.timeout(60):
                while not ledger.acknowledged:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            began = time.monotonic()
            while (now := time.monotonic() - began) < seconds:
                await asyncio.sleep(min(random.uniform(2, 10), seconds / 4))
                metrics = await server.metrics()
                memory.append((now, metrics["process_resident_memory_bytes"] / 1e6))
                open_at_most = max(open_at_most, metrics["process_open_fds"])
                tasks_at_most = max(tasks_at_most, metrics["leaderboard_tasks"])
                boards_at_most = max(boards_at_most, await server.boards())
                place = random.randrange(processes)
                workers[place].kill()
                killed += 1
                workers[place] = await worker()
                readers.append(asyncio.create_task(ledger.keep(workers[place])))
            lasted = time.monotonic() - began
        finally:
            for process in workers:
                if process.returncode is None:
                    process.kill()
        await asyncio.gather(*readers)

        async def as_before() -> bool:
            after = await server.metrics()
            names = ("leaderboard_active_connections", "leaderboard_tasks", "process_open_fds")
            return all(after[name] <= before[name] for name in names) and await server.boards() <= 1

        try:
            await eventually(as_before, patience=60)
        except TimeoutError:
            after = await server.metrics()
            held = f"{await server.boards()} boards, {after}"
            raise Failed(f"what was there for clients is still there: {held}") from None
        after = await server.metrics()
        board = await server.scores(BOARD)
        await server.stop()
    lost = {p: n for p, n in ledger.acknowledged.items() if board.get(p, 0) < n}
    invented = {p: n for p, n in board.items() if n > ledger.sent[p]}
    must(not lost, f"acknowledged and not on the board: {lost}")
    must(not invented, f"on the board and never sent: {invented}")
    must(not ledger.faults, f"clients that lived were not served: {ledger.faults.most_common(5)}")
    must(after["leaderboard_http_5xx_error_total"] == 0, "a request failed")
    acknowledged = ledger.acknowledged.total()
    return {
        "seconds": round(lasted),
        "connections that came and went": ledger.connections,
        "client processes killed": killed,
        "publishes acknowledged": acknowledged,
        "publishes acknowledged a second": round(acknowledged / lasted),
        "acknowledged and lost": 0,
        "points on the board": sum(board.values()),
        "counted and not acknowledged (killed first)": sum(board.values()) - acknowledged,
        **grown(memory),
        "file descriptors before, at most, after": told(
            before["process_open_fds"], open_at_most, after["process_open_fds"]
        ),
        "tasks before, at most, after": told(
            before["leaderboard_tasks"], tasks_at_most, after["leaderboard_tasks"]
        ),
        "boards before, at most, after": told(0, boards_at_most, 1),
    }


def grown(memory: list[tuple[float, float]]) -> dict[str, Any]:
    """What memory (seconds, MB) did behind the warm-up; raises `Failed` if it grew."""
    first, last = memory[0][0], memory[-1][0]
    warm = first + (last - first) * WARM_UP
    judged = [sample for sample in memory if sample[0] >= warm]
    if last - warm < JUDGED:
        return {"memory at the end, MB": round(memory[-1][1], 1)}
    rise = slope(judged)
    must(rise <= LEAK, f"memory grew by {rise:.3f} MB a minute, and {LEAK} would be none")
    return {
        "memory after the warm-up, MB": round(judged[0][1], 1),
        "memory at the end, MB": round(judged[-1][1], 1),
        "its slope between, MB a minute": round(rise, 3),
    }


def told(before: float, most: float, after: float) -> str:
    return f"{before:.0f}, {most:.0f}, {after:.0f}"
