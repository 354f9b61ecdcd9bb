"""The arithmetic of docs/scaling.md, held against its simulation; and that two levels of boards are exact."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from benchmarks.capacity import Costs, Load, merged, need, rank, simulate, table
from tests.checkout import ROOT

COSTS = Costs()


@pytest.mark.parametrize("subscribers", [1_000, 5_000, 20_000])
@pytest.mark.parametrize("publishes", [100.0, 2_000.0])
def test_as_many_processes_as_the_arithmetic_asks_for_have_room(
    subscribers: int, publishes: float
) -> None:
    load = Load(subscribers=subscribers, publishes=publishes)
    processes = need(load, COSTS).processes
    simulated = simulate(load, COSTS, processes)
    assert simulated.busy < 0.65
    assert simulated.p99 < 2.5 * load.interval


def test_too_few_processes_stretch_the_interval_instead_of_falling_behind() -> None:
    load = Load(subscribers=60_000, publishes=100)
    simulated = simulate(load, COSTS, 1)
    assert simulated.busy > 0.95
    assert simulated.p99 < 1.2, "a pass of 0.42 s, and the one before"
    assert simulated.deliveries == pytest.approx(1 / COSTS.delivery, rel=0.1)


def test_twice_the_cost_is_twice_the_processes() -> None:
    load = Load(subscribers=100_000, publishes=100)
    twice = replace(COSTS, delivery=2 * COSTS.delivery)
    assert need(load, twice).processes == pytest.approx(2 * need(load, COSTS).processes, abs=1)


def test_two_levels_give_the_top_and_the_ranks_of_one_board() -> None:
    chance = random.Random(7)
    players = [(float(chance.randrange(500)), f"p{number}") for number in range(20_000)]
    shards: list[list[tuple[float, str]]] = [[] for _ in range(16)]
    for player in players:
        shards[hash(player[1]) % 16].append(player)
    for shard in shards:
        shard.sort()
    whole = sorted(players)
    assert merged(shards, 100) == whole[:100]
    keys = [key for key, _ in whole]
    for key, _ in chance.sample(players, 200):
        assert rank(shards, key) == 1 + keys.index(key)


def test_the_page_shows_what_the_arithmetic_gives() -> None:
    page = (ROOT / "docs" / "scaling.md").read_text("utf-8")
    assert table(COSTS) in page
    assert f"| a connection with a subscription | {COSTS.connection / 1e3:.1f} kB |" in page
    everybody = need(Load(subscribers=10_000_000, publishes=1e6, interval=1.0), COSTS)
    assert f"{everybody.memory / 1e9:.0f} GB of connections" in page
    assert f"a GiB holds {2**30 / COSTS.connection / 1e3:.0f},000 such connections" in page


def test_a_connection_costs_what_was_measured_last() -> None:
    measured = json.loads((ROOT / "docs" / "performance.json").read_text("utf-8"))["idle"]["rows"]
    (kib,) = [row["kib"] for row in measured if row["name"] == "leaderboard"]
    assert COSTS.connection == pytest.approx(kib * 1024, rel=0.1)
