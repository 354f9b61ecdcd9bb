"""What docs/performance.md promises, and what the last results say of it.

A promise is a figure with two bounds: what must hold, and what is aimed at. Ratios hold wherever they are measured,
since both sides come from the same rounds; absolute figures belong to a machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks import scenarios, servers
from benchmarks.results import Table

Results = Mapping[str, Table]

OURS = scenarios.OURS
PLAIN = "leaderboard --plain-asgi"
LATENCY = "latency-200x20"
INTERVAL = 100.0
"""Milliseconds: the default of a namespace."""


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A figure and its bounds. ``least`` tells whether they are lower or upper ones."""

    text: str
    measured: Callable[[Results], float | None]
    must: float
    aim: float
    least: bool = True
    unit: str = "x"
    format: str = ".2f"

    def kept(self, results: Results) -> bool | None:
        """Whether what must hold does; None where it was not measured."""
        value = self.measured(results)
        if value is None:
            return None
        return value >= self.must if self.least else value <= self.must

    def row(self, results: Results) -> str:
        """The promise as a row of a Markdown table."""
        sign = "≥" if self.least else "≤"
        value = self.measured(results)
        shown = "not measured" if value is None else f"{value:{self.format}} {self.unit}".strip()
        mark = {None: "", True: " ✓", False: " ✗"}[self.kept(results)]
        bounds = (f"{sign} {bound:g} {self.unit}".strip() for bound in (self.must, self.aim))
        return "| " + " | ".join((self.text, *bounds, shown + mark)) + " |"


def markdown(results: Results) -> str:
    """All promises, with what was measured."""
    head = "| | must | aim | measured |\n| --- | ---: | ---: | ---: |\n"
    return head + "\n".join(promise.row(results) for promise in PROMISES)


def _figure(key: str, name: str, figure: str) -> Callable[[Results], float | None]:
    return lambda results: results[key].figure(name, figure) if key in results else None


def _ratio(
    key: str, other: str, figure: str = "per_cpu_second", ours: str = OURS
) -> Callable[[Results], float | None]:
    def ratio(results: Results) -> float | None:
        mine, theirs = _figure(key, ours, figure)(results), _figure(key, other, figure)(results)
        return mine / theirs if mine is not None and theirs else None

    return ratio


def _over_redis(size: int, how: str) -> Callable[[Results], float | None]:
    def ratio(results: Results) -> float | None:
        theirs = _figure("ranking", f"{how}, {size:,} entries", "update")(results)
        mine = _figure("ranking", f"board, {size:,} entries", "update")(results)
        return theirs / mine if mine and theirs is not None else None

    return ratio


def _stall(figure: str) -> Callable[[Results], float | None]:
    return _figure("stalled", "leaderboard, 100 rows every 10 ms, one stalls", figure)


FAN_OUT = "fan-out-1000"
PIPELINED = "ingest-pipelined"
ONE_BY_ONE = "ingest-request-response"
NODE = "Node ws, a Map and no board"

PROMISES = (
    Promise(
        text="fan-out to 1,000: against FastAPI's `send_text` loop",
        measured=_ratio(FAN_OUT, scenarios.FASTAPI_TEXT),
        must=1.8,
        aim=2.2,
    ),
    Promise(
        text="… against its `send_json` loop",
        measured=_ratio(FAN_OUT, scenarios.FASTAPI_JSON),
        must=3.8,
        aim=4.4,
    ),
    Promise(text="… against Node ws", measured=_ratio(FAN_OUT, servers.WS.name), must=1.4, aim=1.6),
    Promise(
        text="… against Socket.IO",
        measured=_ratio(FAN_OUT, servers.SOCKET_IO.name),
        must=1.7,
        aim=2.1,
    ),
    Promise(
        text="… against python-socketio",
        measured=_ratio(FAN_OUT, servers.PYTHON_SOCKET_IO.name),
        must=8,
        aim=10,
    ),
    Promise(
        text="… against socketify (uWebSockets)",
        measured=_ratio(FAN_OUT, servers.SOCKETIFY.name),
        must=0.8,
        aim=1.0,
    ),
    Promise(
        text="… against one blocking `send()` per delivery in C",
        measured=_ratio(FAN_OUT, scenarios.FLOOR),
        must=0.7,
        aim=0.9,
    ),
    Promise(
        text="eight boards on one connection, against the same in C",
        measured=_ratio("boards", scenarios.FLOOR),
        must=2,
        aim=4,
    ),
    Promise(
        text="ingest, pipelined: against the plain ASGI path",
        measured=_ratio(PIPELINED, PLAIN),
        must=2.2,
        aim=4,
    ),
    Promise(text="… against Node ws", measured=_ratio(PIPELINED, NODE), must=1.2, aim=2),
    Promise(
        text="ingest, request and response: against the plain ASGI path",
        measured=_ratio(ONE_BY_ONE, PLAIN),
        must=1.3,
        aim=1.9,
    ),
    Promise(text="… against Node ws", measured=_ratio(ONE_BY_ONE, NODE), must=0.69, aim=1),
    Promise(
        text="200 subscribers, 4,000 publishes/s: answered, against a rebroadcast in FastAPI",
        measured=_ratio(LATENCY, "FastAPI, every publish to all", "answered"),
        must=6,
        aim=7,
    ),
    Promise(
        text="… CPU",
        measured=_figure(LATENCY, OURS, "server_cpu"),
        must=0.36,
        aim=0.24,
        least=False,
        unit="cores",
    ),
    Promise(
        text="… snapshots to each subscriber",
        measured=_figure(LATENCY, OURS, "snapshots"),
        must=10.5,
        aim=10,
        least=False,
        unit="/s",
        format=".1f",
    ),
    Promise(
        text="… publish to snapshot, p99",
        measured=_figure(LATENCY, OURS, "p99"),
        must=INTERVAL + 15,
        aim=INTERVAL + 5,
        least=False,
        unit="ms",
        format=".1f",
    ),
    Promise(
        text="quiet board: publish to snapshot, p50",
        measured=_figure(f"latency-1x{scenarios.QUIET}", OURS, "p50"),
        must=5,
        aim=2,
        least=False,
        unit="ms",
        format=".1f",
    ),
    Promise(
        text="one stalled subscriber of 50: what the others still get",
        measured=_stall("share"),
        must=0.99,
        aim=1,
        unit="",
        format=".4f",
    ),
    Promise(
        text="… memory of the server",
        measured=_stall("growth"),
        must=2,
        aim=1,
        least=False,
        unit="MiB",
        format="+.1f",
    ),
    Promise(
        text="idle connection, subscribed",
        measured=_figure("idle", OURS, "kib"),
        must=32,
        aim=16,
        least=False,
        unit="KiB",
        format=".1f",
    ),
    Promise(
        text="connections accepted per CPU-second",
        measured=_figure("connect", OURS, "per_cpu_second"),
        must=1400,
        aim=4000,
        unit="",
        format=",.0f",
    ),
    Promise(
        text="update of a board of 10,000, against one Redis round trip",
        measured=_over_redis(10_000, "redis"),
        must=30,
        aim=50,
    ),
    Promise(
        text="update of a board of 1,000,000, against pipelined Redis",
        measured=_over_redis(1_000_000, "pipelined redis"),
        must=0.9,
        aim=1.3,
    ),
)
