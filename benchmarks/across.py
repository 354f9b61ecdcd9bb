"""What it takes to be more than one process: from a publish at one to the snapshot at another, and what more of them
deliver.

The first is one Python program that publishes at one process and watches at the other, by one clock. Each board has one
player, whose score counts its publishes: a snapshot shows a score, and with it all before it. For the second the load
generator in C watches through the shared port, more than one process can serve; processes and generator share the
machine's cores, so deliveries per CPU-second say what a process more would be worth on cores of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import subprocess
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from benchmarks import servers
from benchmarks.crew import Crew, crew
from benchmarks.environment import LOAD
from benchmarks.machine import wait_until_quiet
from benchmarks.results import Column, Table
from benchmarks.rounds import Effort

BOARDS = (1, 10, 100)
RATE = 200.0
"""Publishes per second to all boards together."""
COUNTS = (1, 2, 4)
SUBSCRIBERS = 2000
BUSY = "/often/board"
"""A board that may be sent a hundred times a second: more than can be."""
WARM_UP = 1.0


def latency(effort: Effort) -> Table:
    """From a publish to the snapshot, at the same process and at another."""
    seconds = max(2.0, effort.seconds * 6)
    rows: list[dict[str, object]] = []
    for boards in BOARDS:
        row: dict[str, object] = {"name": f"{boards} board{'s' if boards > 1 else ''}"}
        for where, reader in (("same", 0), ("other", 1)):
            ages: list[float] = []
            for _ in range(effort.rounds):
                wait_until_quiet()
                with crew(2) as processes:
                    before = processes.used()
                    ages += asyncio.run(_ages(processes, reader, boards, seconds))
                    after = processes.used()
                    row["redis"] = (after.redis - before.redis) / (after.moment - before.moment)
            ages.sort()
            row[f"{where}_p50"] = ages[len(ages) // 2] * 1000
            row[f"{where}_p99"] = ages[int(len(ages) * 0.99)] * 1000
        rows.append(row)
    return Table(
        key="across",
        title=f"Publish to snapshot, two processes on one Redis, {RATE:g} publishes/s to all boards together",
        columns=(
            Column(figure="other_p50", heading="at the other process p50 ms", format=".1f"),
            Column(figure="other_p99", heading="p99 ms", format=".1f"),
            Column(figure="same_p50", heading="at the same p50 ms", format=".1f"),
            Column(figure="same_p99", heading="p99 ms", format=".1f"),
            Column(figure="redis", heading="CPU of Redis", format=".3f"),
        ),
        rows=rows,
    )


async def _ages(processes: Crew, reader: int, boards: int, seconds: float) -> list[float]:
    """Seconds from each publish to the first snapshot that shows it."""
    channels = [f"/bench/board-{number}" for number in range(boards)]
    waiting: dict[str, deque[tuple[int, float]]] = {channel: deque() for channel in channels}
    ages: list[float] = []
    async with (
        _connected(processes.ports[0]) as publisher,
        _connected(processes.ports[reader]) as watcher,
    ):

        async def watch() -> None:
            async for frame in watcher:
                said = json.loads(frame)
                if said["type"] != "data":
                    continue
                now = time.monotonic()
                snapshot = json.loads(said["event"])
                rows, due = snapshot["rows"], waiting[snapshot["channel"]]
                while due and rows and due[0][0] <= rows[0]["score"]:
                    ages.append(now - due.popleft()[1])

        async def listen() -> None:
            async for frame in publisher:
                if json.loads(frame)["type"] == "publish_error":
                    raise RuntimeError(str(frame))

        for number, channel in enumerate(channels):
            await watcher.send(_said("subscribe", id=str(number), channel=channel))
        tasks = [asyncio.create_task(watch()), asyncio.create_task(listen())]
        await asyncio.sleep(WARM_UP)
        chance, due = random.Random(1), time.monotonic()
        end = due + seconds
        numbers = [itertools.count(1) for _ in channels]
        while due < end:
            due += chance.expovariate(RATE)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            board = chance.randrange(boards)
            channel, number = channels[board], next(numbers[board])
            waiting[channel].append((number, due))
            event = json.dumps({"player": "p", "score": number})
            named = f"{board}-{number}"
            await publisher.send(_said("publish", id=named, channel=channel, events=[event]))
        await asyncio.sleep(WARM_UP)
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
    if any(waiting.values()):
        raise RuntimeError("some publishes were never seen")
    return ages


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[ClientConnection]:
    offered = [Subprotocol(part.strip()) for part in servers.appsync("").protocol.split(",")]
    url = f"ws://127.0.0.1:{port}/event/realtime"
    async with websockets.connect(url, subprotocols=offered, compression=None) as client:
        yield client


def _said(kind: str, **members: object) -> str:
    return json.dumps({"type": kind, **members, "authorization": {"x-api-key": servers.KEY}})


def deliveries(effort: Effort) -> Table:
    """What one, two and four processes deliver of one board."""
    seconds = max(1.5, effort.seconds * 2)
    rows: list[dict[str, object]] = []
    for count in COUNTS:
        wait_until_quiet()
        found = [_delivered(count, seconds) for _ in range(effort.rounds)]
        rate, per_cpu, redis = (sorted(each)[len(found) // 2] for each in zip(*found, strict=True))
        name = f"{count} process{'es' if count > 1 else ''}"
        rows.append({"name": name, "rate": rate, "per_cpu": per_cpu, "redis": redis})
    for row in rows:
        row["ratio"] = float(str(row["rate"])) / float(str(rows[0]["rate"]))
        row["cpu_ratio"] = float(str(row["per_cpu"])) / float(str(rows[0]["per_cpu"]))
    return Table(
        key="deliveries",
        title=f"Deliveries of one board to {SUBSCRIBERS:,} subscribers, by processes on one Redis",
        columns=(
            Column(figure="rate", heading="deliveries/s"),
            Column(figure="ratio", heading="to one process", format=".2f"),
            Column(figure="per_cpu", heading="per CPU-second"),
            Column(figure="cpu_ratio", heading="to one process", format=".2f"),
            Column(figure="redis", heading="CPU of Redis", format=".3f"),
        ),
        rows=rows,
    )


def _delivered(count: int, seconds: float) -> tuple[float, float, float]:
    """Deliveries a second, per CPU second of the processes, and CPU of Redis."""
    talk = servers.appsync(BUSY, event=servers.ANYWHERE)
    load = ("--subscribers", SUBSCRIBERS, "--publishers", 1, "--players", 100, "--rate", 200)
    lasts = ("--warm-up", WARM_UP, "--seconds", seconds + 2 * WARM_UP)
    with crew(count) as processes:
        words = ["--port", processes.port, *load, *lasts, *talk.options()]
        with subprocess.Popen([LOAD, *map(str, words)], stdout=subprocess.DEVNULL) as generator:
            end = time.monotonic() + 60
            while processes.used().connections <= SUBSCRIBERS:
                if generator.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("the subscribers could not connect")
                time.sleep(0.05)
            time.sleep(WARM_UP)
            before = processes.used()
            time.sleep(seconds)
            after = processes.used()
            generator.terminate()
    lasted, sent = after.moment - before.moment, after.sent - before.sent
    return sent / lasted, sent / (after.cpu - before.cpu), (after.redis - before.redis) / lasted
