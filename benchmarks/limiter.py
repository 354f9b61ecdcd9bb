"""What one check of a rate costs: the server's own, and the moving window of a library that counts as strictly."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from benchmarks import machine
from benchmarks.results import Column, Table
from benchmarks.rounds import Effort
from leaderboard.limits import Rate, Rates

RATE = 25
"""In any second: AppSync's quota of publishes."""
BATCHES = 1000
"""Of which the fastest counts: what else the machine does can only add to so little."""
CHECKS = RATE
"""In a batch, all of which are let through: a refusal is another matter."""


def limiter(_: Effort) -> Table:
    """A check that lets through, of one who asks at the full rate."""
    machine.wait_until_quiet()
    own, each, now = Rate(RATE, "publishes"), Rates(RATE, "publishes"), 0.0
    window, item = MovingWindowRateLimiter(MemoryStorage()), RateLimitItemPerSecond(RATE)

    def later() -> None:
        nonlocal now
        now += 1.0

    contenders: dict[str, tuple[Callable[[], object], Callable[[], None]]] = {
        "Rate, of one connection": (lambda: own.take(now), later),
        "Rates, of a credential": (lambda: each.take("ann", now), later),
        "limits, moving window in memory": (
            lambda: window.hit(item, "ann"),
            lambda: window.clear(item, "ann"),
        ),
    }
    fastest = dict.fromkeys(contenders, math.inf)
    for _batch in range(BATCHES):
        for name, of in contenders.items():
            fastest[name] = min(fastest[name], _time(*of))
    return Table(
        key="limiter",
        title="One check of a rate of 25 a second",
        columns=(Column(figure="check", heading="µs", format=".2f"),),
        rows=[{"name": name, "check": check} for name, check in fastest.items()],
    )


def _time(check: Callable[[], object], begin: Callable[[], None]) -> float:
    """Microseconds of one check, by a batch."""
    begin()
    start = time.perf_counter_ns()
    for _ in range(CHECKS):
        check()
    return (time.perf_counter_ns() - start) / CHECKS / 1000
