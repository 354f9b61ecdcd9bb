"""One process and three on one Redis: what a delivery and a publish cost there, and whether the arithmetic holds.

The load is `leaderboard simulate`, in Python: it is the limit long before three processes are, so what is compared is
what a delivery costs, and ages below saturation. Every row is measured and simulated with the costs of the first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

from benchmarks.capacity import Costs, Load, simulate
from benchmarks.crew import crew
from benchmarks.machine import wait_until_quiet
from benchmarks.results import Column, Table
from benchmarks.rounds import Effort
from benchmarks.servers import KEY

COUNTS = (1, 3)
WATCHERS = 200
RATE = 200.0
CHANNEL = "/bench/board"
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
    with crew(count) as processes:
        url = f"http://127.0.0.1:{processes.port}"
        command = (
            *(sys.executable, "-m", "leaderboard", "simulate", CHANNEL, "--url", url, "--json"),
            *("--seconds", str(seconds), "--rate", str(RATE), "--watchers", str(watchers)),
        )
        before = processes.used()
        done = subprocess.run(
            command, capture_output=True, check=True, env={**os.environ, "LEADERBOARD_KEY": KEY}
        )
        after = processes.used()
        report = json.loads(done.stdout)
        spread = report["publish_to_snapshot_ms"]
        return {
            "deliveries": (after.sent - before.sent) / seconds,
            "cpu": (after.cpu - before.cpu) / seconds,
            "redis": (after.redis - before.redis) / (after.moment - before.moment),
            "p50": spread["p50"],
            "p99": spread["p99"],
        }
