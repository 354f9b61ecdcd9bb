"""What one check of a rate costs: the server's own, and the moving window of a library that counts as strictly."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from benchmarks import machine
from benchmarks.results import Column, Table
from benchmarks.rounds import Effort
from leaderboard.limits import Rate, Rates

RATE = 25
"""In any second: AppSync's quota of publishes."""
BATCHES = 40
CHECKS = RATE
"""In a batch, all of which are let through: a refusal is another matter."""


def limiter(_: Effort) -> Table:
    """A check that lets through, of one who asks at the full rate; the median of batches."""
    machine.wait_until_quiet()
    own, each, now = Rate(RATE, "publishes"), Rates(RATE, "publishes"), 0.0
    window, item = MovingWindowRateLimiter(MemoryStorage()), RateLimitItemPerSecond(RATE)

    def later() -> None:
        nonlocal now
        now += 1.0

    contenders: dict[str, tuple[Callable[[], object], Callable[[], None]]] = {
        "Rate, of one connection": (lambda: own.take(now), later),
        "Rates, of a credential among many": (lambda: each.take("ann", now), later),
        "limits, moving window in memory": (
            lambda: window.hit(item, "ann"),
            lambda: window.clear(item, "ann"),
        ),
    }
    rows = [{"name": name, "check": _time(*of)} for name, of in contenders.items()]
    return Table(
        key="limiter",
        title="One check of a rate of 25 a second",
        columns=(Column(figure="check", heading="µs", format=".2f"),),
        rows=rows,
    )


def _time(check: Callable[[], object], begin: Callable[[], None]) -> float:
    batches = []
    for _ in range(BATCHES):
        begin()
        start = time.perf_counter_ns()
        for _ in range(CHECKS):
            check()
        batches.append((time.perf_counter_ns() - start) / CHECKS / 1000)
    return median(batches)
