"""The long runs of `tests.soak` for some seconds each: that they work, and show what they should."""

from __future__ import annotations

import pytest

from tests.soak import ledger, storm, stuck
from tests.soak.served import Failed

pytestmark = pytest.mark.timeout(120)  # they start servers and clients in processes of their own


async def test_clients_that_are_killed_lose_nothing_that_was_acknowledged() -> None:
    figures = await ledger.run(4, connections=20, rate=100, processes=2)
    assert figures["publishes acknowledged"] > 20
    assert figures["client processes killed"] > 1


async def test_a_reader_that_never_reads_costs_the_server_no_memory() -> None:
    figures = await stuck.run(3, readers=10)
    assert figures["snapshots that passed it by"] > 100


async def test_all_come_back_after_a_restart_and_none_is_refused() -> None:
    figures = await storm.run(40)
    assert figures["clients"] == 40


@pytest.mark.parametrize(("rise", "leaks"), [(0.1, False), (0.5, True)])
def test_memory_that_grows_behind_the_warm_up_is_a_leak(rise: float, leaks: bool) -> None:
    warming = [(float(second), 60.0 + second / 10) for second in range(0, 600, 10)]
    after = [(float(second), 120.0 + rise * (second - 600) / 60) for second in range(600, 1800, 10)]
    if leaks:
        with pytest.raises(Failed, match="memory grew"):
            ledger.grown(warming + after)
    else:
        assert ledger.grown(warming + after)["its slope between, MB a minute"] == rise
