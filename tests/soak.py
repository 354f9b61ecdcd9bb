"""Long runs against a real server process: ``python -m tests.soak soak|stuck|storm``; ``make soak`` runs all three.

- ``soak``: connections come and go, whole client processes are killed with SIGKILL, and a ledger of all that was
  acknowledged is compared with the final board. The server's memory, file descriptors and connections must not grow.
- ``stuck``: one of a hundred readers never reads, at the full rate. The server's memory must stay flat, and the others
  must not notice: their 99th percentile with it against that without it.
- ``storm``: all clients reconnect after a restart (SIGTERM) by their own back-off; none may be refused.

tests/test_soak.py runs each for seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from leaderboard.client import Client as OwnClient
from leaderboard.client import Snapshot, State
from leaderboard.client import connect as own_connect
from tests.appsync import Client, connect
from tests.checkout import ROOT
from tests.rawsocket import RawSocket

KEY = "da2-key-of-the-long-runs"
BOARD = "/soak/board"
SETTINGS = {
    "API_KEYS": json.dumps([{"key": KEY, "role": "admin"}]),
    "NAMESPACES": json.dumps(
        {"soak": {"mode": "sum"}, "fast": {"mode": "latest", "interval_ms": 10, "top": 100}}
    ),
    "LIMITS__PUBLISHES_PER_SECOND": "0",
}


class Failed(Exception):
    """A run did not show what it should; the text says what."""


def must(holds: bool, what: str) -> None:
    if not holds:
        raise Failed(what)


# -- the server --------------------------------------------------------------------------------------------------------


@dataclass
class Process:
    """A server in a process of its own."""

    port: int
    process: asyncio.subprocess.Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/event/realtime"

    async def stop(self) -> int:
        """SIGTERM, and wait; the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()

    async def metrics(self) -> defaultdict[str, float]:
        async with httpx.AsyncClient() as http:
            text = (await http.get(f"{self.url}/metrics", timeout=30)).text
        found: defaultdict[str, float] = defaultdict(float)  # what never happened is not named
        for line in text.splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name.partition("{")[0]] += float(value)
        return found


async def serve(port: int = 0, settings: Mapping[str, str] | None = None) -> Process:
    """Start a server and wait until it answers."""
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    names = {
        f"LEADERBOARD_{name}": value for name, value in {**SETTINGS, **(settings or {})}.items()
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "leaderboard",
        "serve",
        "--port",
        str(port),
        cwd=ROOT,
        env={**os.environ, **names},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    server = Process(port, process)
    async with asyncio.timeout(30), httpx.AsyncClient() as http:
        while True:
            must(process.returncode is None, "the server ended while it started")
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(f"{server.url}/readyz")).status_code == 200:
                    return server
            await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(**settings: str) -> AsyncIterator[Process]:
    server = await serve(0, settings)
    try:
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.process.kill()
        await server.process.wait()


def slope(samples: Iterable[tuple[float, float]]) -> float:
    """Growth per minute over the second half of what was measured: the first half fills caches."""
    all_ = list(samples)
    half = all_[len(all_) // 2 :]
    if len(half) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*half, strict=True)).slope * 60


# -- soak --------------------------------------------------------------------------------------------------------------


@dataclass
class Ledger:
    """What the clients say: how many points each player was about to send, and how many were acknowledged."""

    sent: Counter[str] = field(default_factory=Counter)
    acknowledged: Counter[str] = field(default_factory=Counter)

    def note(self, line: str) -> None:
        what, _, player = line.strip().partition(" ")
        if what == "S":
            self.sent[player] += 1
        elif what == "A":
            self.acknowledged[player] += 1


async def work(url: str, connections: int, rate: float) -> None:
    """The clients of one process: each connects, watches, publishes a while, and goes. Ends only by being killed."""

    async def one() -> None:
        while True:
            player = f"p{random.randrange(10**9)}"
            until = time.monotonic() + random.uniform(2, 10)
            with contextlib.suppress(Exception):
                async with connect(url, KEY) as client:
                    await client.subscribe(BOARD)
                    while time.monotonic() < until:
                        os.write(1, f"S {player}\n".encode())
                        event = {"player": player, "score": 1}
                        answer = await client.publish(BOARD, event)
                        if answer["type"] == "publish_success":
                            os.write(1, f"A {player}\n".encode())
                        client.frames.clear()
                        await asyncio.sleep(random.uniform(0, 2) * connections / rate)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(one())


async def soak(seconds: float, connections: int, rate: float, processes: int = 4) -> dict[str, Any]:
    """See the module. Raises `Failed`; returns the figures."""
    ledger, killed = Ledger(), 0
    samples: dict[str, list[tuple[float, float]]] = {
        "process_resident_memory_bytes": [],
        "process_open_fds": [],
        "leaderboard_active_connections": [],
    }
    async with serving() as server:

        async def worker() -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.soak", "work", "--url", server.socket_url),
                *("--connections", str(connections // processes), "--rate", str(rate / processes)),
                cwd=ROOT,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )

        async def keep(process: asyncio.subprocess.Process) -> None:
            assert process.stdout is not None
            async for line in process.stdout:
                if line.endswith(b"\n"):
                    ledger.note(line.decode())

        workers = [await worker() for _ in range(processes)]
        readers = [asyncio.create_task(keep(process)) for process in workers]
        began = time.monotonic()
        while (now := time.monotonic() - began) < seconds:
            await asyncio.sleep(min(5.0, seconds / 4))
            metrics = await server.metrics()
            for name, series in samples.items():
                series.append((now, metrics[name]))
            place = random.randrange(processes)
            workers[place].kill()
            killed += 1
            workers[place] = await worker()
            readers.append(asyncio.create_task(keep(workers[place])))
        for process in workers:
            process.kill()
        await asyncio.gather(*readers)

        async with asyncio.timeout(60):
            while (await server.metrics())["leaderboard_active_connections"]:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        after = await server.metrics()
        board = await scores(server)
        status = await server.stop()
    lost = {p: n for p, n in ledger.acknowledged.items() if board.get(p, 0) < n}
    invented = {p: n for p, n in board.items() if n > ledger.sent[p]}
    must(not lost, f"acknowledged and not on the board: {lost}")
    must(not invented, f"on the board and never sent: {invented}")
    must(status == 0, f"the server ended with {status}")
    must(after["leaderboard_http_5xx_error_total"] == 0, "a request failed")
    return {
        "seconds": seconds,
        "processes killed": killed,
        "events sent": sum(ledger.sent.values()),
        "events acknowledged": sum(ledger.acknowledged.values()),
        "acknowledged and lost": 0,
        "memory, MB per minute": round(slope(samples["process_resident_memory_bytes"]) / 1e6, 3),
        "file descriptors per minute": round(slope(samples["process_open_fds"]), 3),
        "file descriptors at the end": after["process_open_fds"],
    }


async def scores(server: Process) -> dict[str, int]:
    """The whole board."""
    async with httpx.AsyncClient(headers={"x-api-key": KEY}) as http:
        lines = (await http.get(f"{server.url}/api/boards{BOARD}.jsonl", timeout=60)).text
    rows = (json.loads(line) for line in lines.splitlines() if line)
    return {row["player"]: row["score"] for row in rows if "player" in row}


# -- stuck -------------------------------------------------------------------------------------------------------------


async def stuck(seconds: float, readers: int = 100) -> dict[str, Any]:
    """See the module: half of the time without a stuck reader, half with one."""
    async with serving(LIMITS__STUCK="1h") as server, AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(connect(server.socket_url, KEY))
        for number in range(100):
            await publisher.publish(
                "/fast/board", {"player": f"p{number}", "score": 0, "meta": {"text": "x" * 500}}
            )
        latencies: list[float] = []

        async def read(client: Client) -> None:
            id_ = await client.subscribe("/fast/board", view={"top": 1})
            while True:
                sent = (await client.snapshot(id_))["rows"][0]["score"]
                if sent > 1e9:
                    latencies.append(time.time() * 1000 - sent)

        tasks = []
        for _ in range(readers - 1):
            client = await stack.enter_async_context(connect(server.socket_url, KEY))
            tasks.append(asyncio.create_task(read(client)))

        async def publish() -> None:
            while True:
                await publisher.publish(
                    "/fast/board", {"player": "p0", "score": time.time() * 1000}
                )
                await asyncio.sleep(0.02)

        async def never_reads() -> None:
            while True:  # a ping that is not answered ends it; then there is another
                raw = await RawSocket.open(server.port, KEY, receive_buffer=4096)
                try:
                    await raw.subscribe("/fast/board", view={"top": 100})
                    await asyncio.sleep(35)
                finally:
                    raw.close()

        tasks.append(asyncio.create_task(publish()))
        p99, memory, metrics = {}, {}, await server.metrics()
        for name in ("without", "with"):
            if name == "with":
                tasks.append(asyncio.create_task(never_reads()))
            await asyncio.sleep(1)
            latencies.clear()
            series = []
            until = time.monotonic() + seconds / 2
            while time.monotonic() < until:
                await asyncio.sleep(min(1.0, seconds / 10))
                metrics = await server.metrics()
                series.append((time.monotonic(), metrics["process_resident_memory_bytes"]))
            must(len(latencies) > readers, "nothing was read")
            p99[name] = statistics.quantiles(latencies, n=100)[98]
            memory[name] = series
        skipped = metrics["leaderboard_skipped_snapshots_total"]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        must(skipped > 0, "the stuck reader was not stuck")
    grown = (memory["with"][-1][1] - memory["with"][0][1]) / 1e6
    must(grown < 10, f"memory grew by {grown:.1f} MB")
    return {
        "seconds": seconds,
        "p99 without, ms": round(p99["without"], 2),
        "p99 with, ms": round(p99["with"], 2),
        "ratio": round(p99["with"] / p99["without"], 2),
        "snapshots skipped": skipped,
        "memory grown, MB": round(grown, 2),
        "memory, MB per minute": round(slope(memory["with"]) / 1e6, 3),
    }


# -- storm -------------------------------------------------------------------------------------------------------------


async def storm(clients: int, within: float = 35.0) -> dict[str, Any]:
    """See the module: everybody watches a board, the server restarts, everybody must be live again in time."""
    server = await serve()
    back = asyncio.Event()
    down = False
    live: dict[int, float] = {}
    refused: list[str] = []
    try:
        async with AsyncExitStack() as stack:
            connected: list[OwnClient] = []
            for start in range(0, clients, 100):
                for number in range(start, min(start + 100, clients)):

                    def turned(state: State, number: int = number) -> None:
                        if state is State.REFUSED:
                            refused.append(f"client {number}")
                        if down and state is State.LIVE:
                            live[number] = time.monotonic()
                            if len(live) == clients:
                                back.set()

                    client = await stack.enter_async_context(
                        own_connect(server.url, KEY, on_state=turned)
                    )
                    connected.append(client)

            watched = [
                await stack.enter_async_context(client.subscribe(BOARD)) for client in connected
            ]
            await asyncio.gather(*(anext(aiter(each)) for each in watched))
            await connected[0].publish(BOARD, {"player": "ann", "score": 1})
            down = True
            status = await server.stop()
            must(status == 0, f"the server ended with {status}")
            began = time.monotonic()
            server = await serve(server.port)
            try:
                async with asyncio.timeout(within):
                    await back.wait()
            except TimeoutError:
                raise Failed(f"{clients - len(live)} of {clients} were not back") from None
            lasted = sorted(moment - began for moment in live.values())
            # all are served: each sees what is published now
            await connected[0].publish(BOARD, {"player": "bob", "score": 2})
            await asyncio.gather(*(sees(each, "bob") for each in watched))
            metrics = await server.metrics()
            must(not refused, f"refused: {refused[:5]}")
            must(metrics["leaderboard_connect_client_error_total"] == 0, "an attempt was refused")
            return {
                "clients": len(lasted),
                "half live after, s": round(statistics.median(lasted), 2),
                "all live after, s": round(lasted[-1], 2),
                "attempts refused": 0,
            }
    finally:
        await server.stop()


async def sees(snapshots: AsyncIterator[Snapshot], player: str) -> None:
    """Whoever is live again is shown what happens now."""
    async with asyncio.timeout(30):
        async for snapshot in snapshots:
            if any(row.player == player for row in snapshot.rows):
                return


# -- the command -------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("run", choices=("soak", "stuck", "storm", "work"))
    parser.add_argument("--seconds", type=float, help="soak: 1800, stuck: 1200")
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--rate", type=float, default=2000, help="publishes a second, all together")
    parser.add_argument("--clients", type=int, default=2000, help="of storm")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.run == "work":
        asyncio.run(work(a.url, a.connections, a.rate))
        return
    runs = {
        "soak": lambda: soak(a.seconds or 1800, a.connections, a.rate),
        "stuck": lambda: stuck(a.seconds or 1200),
        "storm": lambda: storm(a.clients),
    }
    for name, figure in asyncio.run(runs[a.run]()).items():
        print(f"| {name} | {figure:,} |", flush=True)


if __name__ == "__main__":
    main()
