"""How far processes go: the arithmetic of docs/scaling.md, and a simulation that it is held against.

A process is one queue: publishes come by chance and are served between the slices of a pass; a pass delivers a board's
snapshot to the process's share of the subscribers, once per interval or as soon as the last pass has ended. The costs
are parameters, in CPU seconds; `processes` measures them on one process and compares what comes of three.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass

SLICE = 0.002
"""Seconds of a pass without a pause: leaderboard/broker.py."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """CPU seconds of one process's core, and bytes."""

    delivery: float = 7e-6
    publish: float = 40e-6
    """With Redis: taken in, sent on, and answered."""
    read: float = 0.3e-3
    """Of a board, once per pass: the script's answer, and the encoding."""
    redis_publish: float = 34e-6
    redis_read: float = 15e-6
    connection: float = 14.1e3
    """Of the process, idle with one subscription: 13.8 KiB by `python -m benchmarks idle`. The kernel has its own."""
    snapshot: float = 1e3


@dataclass(frozen=True, kw_only=True)
class Load:
    """One hot board, or many that sum up to it."""

    subscribers: int
    publishes: float
    """Per second, of one event each."""
    interval: float = 0.1
    boards: int = 1


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a load asks for."""

    processes: int
    redis: int
    memory: float
    """Bytes of all connections."""
    bandwidth: float
    """Bytes of payload per second."""
    pause: float
    """Seconds that a pass takes in each process."""


def need(load: Load, costs: Costs, share: float = 0.6) -> Need:
    """Processes and Redis servers, each busy to ``share`` of its core: what is left takes bursts."""
    changes = min(load.publishes, load.boards / load.interval)
    deliveries = changes * load.subscribers / load.boards
    work = deliveries * costs.delivery + load.publishes * costs.publish
    # Each process reads the boards that it has subscribers of, so more processes are more reads.
    processes = max(1, math.ceil(work / share))
    for _ in range(20):
        reads = changes * min(processes, load.subscribers / load.boards)
        grown = math.ceil((work + reads * costs.read) / share)
        if grown <= processes:
            break
        processes = grown
    reads = changes * min(processes, load.subscribers / load.boards)
    redis = load.publishes * costs.redis_publish + reads * costs.redis_read
    return Need(
        processes=processes,
        redis=max(1, math.ceil(redis / share)),
        memory=load.subscribers * costs.connection,
        bandwidth=deliveries * costs.snapshot,
        pause=load.subscribers / load.boards / processes * costs.delivery + costs.read,
    )


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """What happened in a process: frames per second, share of a core, and ages of scores in seconds, as seen."""

    deliveries: float
    busy: float
    p50: float
    p99: float


def simulate(
    load: Load, costs: Costs, processes: int, seconds: float = 20.0, seed: int = 1
) -> Simulated:
    """One of ``processes`` equal ones that share a board, event by event."""
    chance = random.Random(seed)
    mine = max(1, round(load.subscribers / processes))
    arrivals = [0.0]
    while arrivals[-1] < seconds:
        arrivals.append(arrivals[-1] + chance.expovariate(load.publishes))
    published = arrivals[1:]
    # Of all publishes a process serves its share; every one makes its board due.
    served = [moment for moment in published if chance.random() < 1 / processes]
    heapq.heapify(served)
    clock = busy = 0.0
    taken, sent, passes = 0, 0, 0.0
    ages: list[float] = []
    while taken < len(published):
        start = max(clock, passes, published[taken])
        while served and served[0] <= start:
            heapq.heappop(served)
            start += costs.publish
            busy += costs.publish
        first = taken
        while taken < len(published) and published[taken] <= start:
            taken += 1
        now, left = start + costs.read, mine
        busy += costs.read + mine * costs.delivery
        while left > 0:
            chunk = min(left, max(1, int(SLICE / costs.delivery)))
            now += chunk * costs.delivery
            left -= chunk
            while served and served[0] <= now:
                heapq.heappop(served)
                now += costs.publish
                busy += costs.publish
        sent += mine
        # A subscriber stands anywhere in the pass; a score's age is told by one of them.
        ages += [chance.uniform(start + costs.read, now) - each for each in published[first:taken]]
        clock = now
        passes = max(now, start + load.interval)
    ages.sort()
    return Simulated(
        deliveries=sent / seconds * processes,
        busy=min(1.0, busy / seconds),
        p50=ages[len(ages) // 2],
        p99=ages[int(len(ages) * 0.99)],
    )


# -- two levels --------------------------------------------------------------------------------------------------------


def merged(shards: list[list[tuple[float, str]]], top: int) -> list[tuple[float, str]]:
    """The first of all from the first of each: exact, since whoever is among all's first is among its shard's.

    Shards are in order, best first, as (key, player): smaller keys are better.
    """
    return list(heapq.merge(*(shard[:top] for shard in shards)))[:top]


def rank(shards: list[list[tuple[float, str]]], key: float) -> int:
    """Rank among all: better ones of every shard are counted, by one search each."""
    return 1 + sum(_better(shard, key) for shard in shards)


def _better(shard: list[tuple[float, str]], key: float) -> int:
    low, high = 0, len(shard)
    while low < high:
        middle = (low + high) // 2
        if shard[middle][0] < key:
            low = middle + 1
        else:
            high = middle
    return low


def table(costs: Costs) -> str:
    """The table of docs/scaling.md: one board, and boards of a hundred, both with a tenth publishing once a second."""
    lines = [
        "| subscribers | boards | snapshots/s each | processes | Redis | memory | payload | a pass takes |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for subscribers in (10_000, 100_000, 1_000_000, 10_000_000):
        for boards, interval in ((1, 0.1), (1, 1.0), (subscribers // 100, 0.5)):
            load = Load(
                subscribers=subscribers,
                publishes=subscribers / 10,
                interval=interval,
                boards=boards,
            )
            found = need(load, costs)
            lines.append(
                f"| {subscribers:,} | {boards:,} | {1 / interval:g} | {found.processes:,} | {found.redis:,} "
                f"| {found.memory / 1e9:,.2f} GB | {found.bandwidth * 8 / 1e9:,.2f} Gbit/s "
                f"| {found.pause * 1e3:,.0f} ms |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Costs()))
