"""One process and three on one Redis: what a delivery and a publish cost there, and whether the arithmetic holds.

The load is `leaderboard simulate`, in Python: it is the limit long before three processes are, so what is compared is
what a delivery costs, and ages below saturation. Every row is measured and simulated with the costs of the first.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.capacity import Costs, Load, simulate
from benchmarks.machine import wait_until_quiet
from benchmarks.results import Column, Table
from benchmarks.rounds import Effort
from benchmarks.servers import CONFIG, KEY, free_port

COUNTS = (1, 3)
WATCHERS = 200
RATE = 200.0
CHANNEL = "/bench/board"
TICKS = os.sysconf("SC_CLK_TCK")
COLUMNS = (
    Column(figure="deliveries", heading="deliveries/s"),
    Column(figure="cpu", heading="CPU of all", format=".2f"),
    Column(figure="foreseen_cpu", heading="foreseen", format=".2f"),
    Column(figure="p50", heading="publish to snapshot p50 ms", format=".1f"),
    Column(figure="foreseen_p50", heading="foreseen", format=".1f"),
    Column(figure="p99", heading="p99 ms", format=".1f"),
    Column(figure="foreseen_p99", heading="foreseen", format=".1f"),
    Column(figure="redis", heading="CPU of Redis", format=".3f"),
)


def processes(effort: Effort) -> Table:
    """Measure, and foresee from the first row."""
    seconds = max(3.0, effort.seconds * 4)
    rows: list[dict[str, object]] = []
    costs = Costs()
    for count in COUNTS:
        wait_until_quiet()
        # Two loads tell apart what a delivery costs and what all else does.
        few = _measure(count, seconds, 10)
        many = _measure(count, seconds, WATCHERS)
        if count == COUNTS[0]:
            more = max(1.0, many["deliveries"] - few["deliveries"])
            delivery = max(1e-6, (many["cpu"] - few["cpu"]) / more)
            rest = max(0.0, few["cpu"] - few["deliveries"] * delivery - 10 * costs.read)
            costs = replace(costs, delivery=delivery, publish=rest / RATE)
        foreseen = simulate(Load(subscribers=WATCHERS, publishes=RATE), costs, count, seconds)
        rows.append(
            {
                "name": f"{count} process{'es' if count > 1 else ''}",
                **many,
                "foreseen_cpu": foreseen.busy * count,
                "foreseen_p50": foreseen.p50 * 1000,
                "foreseen_p99": foreseen.p99 * 1000,
            }
        )
    told = f"a delivery {costs.delivery * 1e6:.1f} µs, a publish {costs.publish * 1e6:.0f} µs"
    title = f"Processes on one Redis: {WATCHERS} subscribers, {RATE:g} scores/s; {told}"
    return Table(key="processes", title=title, columns=COLUMNS, rows=rows)


def _measure(count: int, seconds: float, watchers: int) -> dict[str, float]:
    with _running(count) as (url, ports, redis):
        pids = [_pid(port) for port in ports]
        command = (
            *(sys.executable, "-m", "leaderboard", "simulate", CHANNEL, "--url", url, "--json"),
            *("--seconds", str(seconds), "--rate", str(RATE), "--watchers", str(watchers)),
        )
        before = _sent(ports)
        cpu, other = sum(map(_cpu, pids)), _cpu(redis)
        began = time.monotonic()
        done = subprocess.run(
            command, capture_output=True, check=True, env={**os.environ, "LEADERBOARD_KEY": KEY}
        )
        lasted = time.monotonic() - began
        report = json.loads(done.stdout)
        spread = report["publish_to_snapshot_ms"]
        return {
            "deliveries": (_sent(ports) - before) / seconds,
            "cpu": (sum(map(_cpu, pids)) - cpu) / seconds,
            "redis": (_cpu(redis) - other) / lasted,
            "p50": spread["p50"],
            "p99": spread["p99"],
        }


@contextlib.contextmanager
def _running(count: int) -> Iterator[tuple[str, list[int], int]]:
    """Redis and ``count`` processes; gives the URL, the port of each, and Redis' process id."""
    port, own, store = free_port(), free_port(), free_port()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        options = ("--port", str(store), "--bind", "127.0.0.1", "--save", "", "--dir", folder)
        redis = stack.enter_context(
            subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        )
        stack.callback(redis.terminate)
        environ = {
            **os.environ,
            "LEADERBOARD_ENGINE_URL": f"redis://127.0.0.1:{store}",
            "LEADERBOARD_SECRET": "a-secret-of-the-benchmarks-alone-32",
            "LEADERBOARD_WORKER_PORT": str(own),
        }
        flags = ("--config", str(CONFIG), "--port", str(port), "--workers", str(count))
        server = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "leaderboard", "serve", *flags],
                stdout=subprocess.DEVNULL,
                env=environ,
            )
        )
        stack.callback(server.wait, 20)
        stack.callback(server.terminate)
        ports = [own + number for number in range(count)] if count > 1 else [port]
        for each in ports:
            _until(each)
        yield f"http://127.0.0.1:{port}", ports, redis.pid


def _until(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            _get(port, "/readyz")
            return
        time.sleep(0.05)
    raise RuntimeError(f"nobody serves port {port}")


def _get(port: int, path: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"x-api-key": KEY})
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return str(answer.read().decode())


def _sent(ports: list[int]) -> float:
    lines = [line for port in ports for line in _get(port, "/metrics").splitlines()]
    frames = [
        line for line in lines if line.startswith("leaderboard_broadcast_event_success_total")
    ]
    return sum(float(line.rpartition(" ")[2]) for line in frames)


def _pid(port: int) -> int:
    return int(_get(port, "/-/now").partition("<dt>process</dt><dd>")[2].partition(" ")[0])


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
