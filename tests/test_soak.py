"""The long runs of `tests.soak` for some seconds each: that they work, and show what they should."""

from __future__ import annotations

import pytest

from tests import soak

pytestmark = pytest.mark.timeout(120)  # they start servers and clients in processes of their own


async def test_clients_that_are_killed_lose_nothing_that_was_acknowledged() -> None:
    figures = await soak.soak(6, connections=20, rate=100, processes=2)
    assert figures["events acknowledged"] > 20
    assert figures["processes killed"] > 1


async def test_a_reader_that_never_reads_costs_the_server_no_memory() -> None:
    figures = await soak.stuck(6, readers=10)
    assert figures["snapshots skipped"] > 10


async def test_all_come_back_after_a_restart_and_none_is_refused() -> None:
    figures = await soak.storm(40)
    assert figures["clients"] == 40
