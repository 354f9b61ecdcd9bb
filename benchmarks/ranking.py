"""What one board costs by its size, in this process, and what Redis takes for the same over a socket.

Every size has a process of its own, so that memory is that board's and nobody else's.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from statistics import median
from typing import Any, TypeVar

import redis

from benchmarks import machine
from benchmarks.environment import ROOT, missing
from benchmarks.machine import LOAD_CORE, SERVER_CORE, pinned
from benchmarks.results import Column, Table
from benchmarks.rounds import Effort
from benchmarks.servers import free_port
from leaderboard.board import Board
from leaderboard.events import Score
from leaderboard.ranking import View
from leaderboard.settings import Namespace

BATCHES = 9
"""Of which the median counts."""
PIPELINE = 500
"""Commands in one write, where Redis is spoken to in pipelines."""
MAX_SCORE = 1_000_000_000
TOP = View(top=10)

T = TypeVar("T")

COLUMNS = (
    Column(figure="update", heading="update, µs", format=",.2f"),
    Column(figure="rank", heading="rank, µs", format=",.2f"),
    Column(figure="top", heading="top 10, µs", format=",.1f"),
    Column(figure="around", heading="around ±5, µs", format=",.1f"),
    Column(figure="bytes", heading="bytes per entry"),
)


def ranking(_: Effort, sizes: Sequence[int]) -> Table:
    """Update, rank, top and around at several sizes."""
    rows: list[dict[str, Any]] = []
    reason = missing("redis-server")
    for size in sizes:
        for how in ("board", "redis", "pipelined redis"):
            row: dict[str, Any] = {"name": f"{how}, {size:,} entries"}
            if "redis" in how and reason:
                rows.append(row | {"reason": reason})
                continue
            machine.wait_until_quiet()
            command = (sys.executable, "-m", "benchmarks.ranking", how, str(size))
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout
            rows.append(row | json.loads(output))
    return Table(
        key="ranking",
        title="One board: time of one operation, memory of one entry",
        columns=COLUMNS,
        rows=rows,
    )


def _board(size: int) -> dict[str, float]:
    scores = random.Random(1)
    rules = Namespace(mode="latest", max_entries=size)
    tracemalloc.start()
    board = Board(rules, epoch="e")
    before = tracemalloc.get_traced_memory()[0]
    for number in range(size):
        board.apply((Score(player=f"player-{number}", score=_any(scores)),), now=0.0)
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    def event() -> tuple[Score]:
        return (Score(player=f"player-{scores.randrange(size)}", score=_any(scores)),)

    def player() -> str:
        return f"player-{scores.randrange(size)}"

    return {
        "update": _time(lambda made: board.apply(made, now=0.0), event),
        "rank": _time(board.rank, player),
        "top": _time(board.view, lambda: TOP),
        "around": _time(board.view, lambda: View(around=player(), radius=5)),
        "bytes": used / size,
    }


def _redis(size: int, pipeline: int) -> dict[str, float]:
    """The same in Redis: one round trip for each command, or one for so many of them."""
    scores = random.Random(1)

    def player() -> str:
        return f"player-{scores.randrange(size)}"

    with _redis_server() as client:

        def timed(command: Callable[[Any], object]) -> float:
            def together(commands: range) -> None:
                pipe = client.pipeline(transaction=False)
                for _ in commands:
                    command(pipe)
                pipe.execute()

            if pipeline == 1:
                return _time(command, lambda: client, count=300)
            return _time(together, lambda: range(pipeline), count=3) / pipeline

        before = client.info("memory")["used_memory"]
        for start in range(0, size, 1000):
            part = range(start, min(start + 1000, size))
            client.zadd("board", {f"player-{number}": _any(scores) for number in part})
        used = client.info("memory")["used_memory"] - before
        return {
            "update": timed(lambda to: to.zadd("board", {player(): _any(scores)})),
            "rank": timed(lambda to: to.zrevrank("board", player())),
            "top": timed(lambda to: to.zrevrange("board", 0, 9, withscores=True)),
            "bytes": used / size,
        }


def _any(scores: random.Random) -> float:
    return float(scores.randrange(MAX_SCORE))


def _time(operation: Callable[[T], object], argument: Callable[[], T], count: int = 1000) -> float:
    """Microseconds of one call; arguments are made beforehand."""
    batches = []
    for _ in range(BATCHES):
        arguments = [argument() for _ in range(count)]
        start = time.perf_counter_ns()
        for item in arguments:
            operation(item)
        batches.append((time.perf_counter_ns() - start) / count / 1000)
    return median(batches)


@contextmanager
def _redis_server() -> Iterator[Any]:
    """A Redis without persistence, on the other core."""
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    command = pinned(LOAD_CORE, "redis-server", *options)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = redis.Redis(host="127.0.0.1", port=port)
    try:
        while process.poll() is None:
            with suppress(redis.ConnectionError):
                client.ping()
                break
            time.sleep(0.01)
        yield client
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    how, size = sys.argv[1], int(sys.argv[2])
    os.sched_setaffinity(0, {SERVER_CORE})
    found = _board(size) if how == "board" else _redis(size, PIPELINE if "pipelined" in how else 1)
    print(json.dumps(found))
