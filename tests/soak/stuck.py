"""One of a hundred readers never reads, while a board changes as fast as snapshots may follow each other.

The server is told never to close it for that, so that one and the same is stuck all the time. The others are measured
before it comes, with it, and when it has gone.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from contextlib import AsyncExitStack
from typing import Any

from tests.appsync import Client, connect
from tests.conftest import ADMIN
from tests.rawsocket import RawSocket
from tests.soak.served import Served, must, serving, slope

BOARD = "/fast/board"
RATE = 100
"""Publishes a second: as many as the board's interval of 10 ms lets snapshots follow."""
WINDOW = 10.0
"""Seconds of one 99th percentile. Of those of a phase the median counts: what else the machine does comes in bursts."""
FLAT = 2.0
"""MB that the server may grow by with it. It is kept 64 KiB and the frame behind, and the allocator takes memory by the
megabyte; kept in full it would be 5 MB a second."""
NOTICED = 1.15
"""Ratio of the 99th percentiles up to which nothing has changed: docs/performance.md says why."""

_SENT = re.compile(r'score\\":(\d+\.?\d*)')


class Readers:
    """Those who read, and how late they got what they read."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []

    async def read(self, client: Client) -> None:
        await client.subscribe(BOARD, view={"top": 1})
        while True:
            found = _SENT.search(str(await client.socket.recv()))
            if found is not None and float(found[1]) > 1e9:
                self.milliseconds.append(time.time() * 1000 - float(found[1]))

    async def p99(self, seconds: float) -> float:
        """The median of the 99th percentiles of the windows of some time."""
        found = []
        windows = max(1, round(seconds / WINDOW))
        for _ in range(windows):
            self.milliseconds.clear()
            await asyncio.sleep(seconds / windows)
            found.append(statistics.quantiles(self.milliseconds, n=100)[98])
        return statistics.median(found)


async def publish(client: Client) -> None:
    due = time.monotonic()
    while True:
        await client.publish(BOARD, {"player": "p0", "score": time.time() * 1000})
        client.frames.clear()
        due = max(due + 1 / RATE, time.monotonic() - 0.1)
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def watch(server: Served, memory: list[tuple[float, float]]) -> None:
    """Sample the server's memory, in seconds and MB, each second."""
    while True:
        bytes_ = (await server.metrics())["process_resident_memory_bytes"]
        memory.append((time.monotonic(), bytes_ / 1e6))
        await asyncio.sleep(1)


async def run(seconds: float, readers: int = 100) -> dict[str, Any]:
    """So long with it, and a quarter of that before and behind. Raises `Failed`; returns the figures."""
    async with serving(stuck="2h") as server, AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(connect(server.socket_url, ADMIN))
        for number in range(100):
            row = {"player": f"p{number}", "score": 0, "meta": {"text": "x" * 500}}
            await publisher.publish(BOARD, row)
        reading = Readers()
        async with asyncio.TaskGroup() as tasks:
            running = []
            for _ in range(readers - 1):
                client = await stack.enter_async_context(connect(server.socket_url, ADMIN))
                running.append(tasks.create_task(reading.read(client)))
            running.append(tasks.create_task(publish(publisher)))
            await asyncio.sleep(min(5.0, seconds / 5))
            before = await reading.p99(seconds / 4)
            first = (await server.metrics())["process_resident_memory_bytes"] / 1e6
            memory: list[tuple[float, float]] = []

            raw = await RawSocket.open(server.port, ADMIN, receive_buffer=4096)
            try:
                await raw.subscribe(BOARD, view={"top": 100})
                samples = tasks.create_task(watch(server, memory))
                with_it = await reading.p99(seconds)
                samples.cancel()
                metrics = await server.metrics()
            finally:
                raw.close()
            behind = await reading.p99(seconds / 4)
            for task in running:
                task.cancel()
    open_ = metrics["leaderboard_active_connections"]
    must(open_ == readers + 1, "the stuck reader was not there all the time")
    skipped = metrics["leaderboard_skipped_snapshots_total"]
    must(skipped > RATE / 2 * seconds, f"only {skipped:g} snapshots passed it by")
    most = max(held for _, held in memory)
    rise = most - first
    must(rise <= FLAT, f"memory grew by {rise:.1f} MB")
    without = statistics.mean((before, behind))
    ratio = with_it / without
    if seconds >= 10 * WINDOW:  # a few windows say nothing
        must(ratio <= NOTICED, f"the others got theirs {ratio:.2f} times as late")
    return {
        "readers": readers,
        "seconds with one that never reads": round(seconds),
        "snapshots that passed it by": round(skipped),
        "memory of the server before it, MB": round(first, 1),
        "memory with it, at most, MB": round(most, 1),
        "memory with it, slope, MB a minute": round(slope(memory), 3),
        "p99 of the others before and behind, ms": f"{before:.2f}, {behind:.2f}",
        "p99 of the others with it, ms": round(with_it, 2),
        "ratio": round(ratio, 2),
    }
