"""The simulated crowd: plausible, repeatable, and honest in what it measures."""

from __future__ import annotations

import asyncio
import itertools
import random
import unicodedata
from dataclasses import asdict
from typing import Any

import pytest

from leaderboard.client import Client, Refused, Round, Snapshot, connect
from leaderboard.crowd import ENOUGH, Crowd, Mode, names
from leaderboard.latency import Shown, Spread
from leaderboard.names import clean_name
from leaderboard.settings import Limits, Namespace
from leaderboard.simulate import Plan, Report, Simulation
from tests.conftest import ADMIN, SCOREKEEPER, Server, Start

DEMO = "/leaderboard/demo"


async def simulate(server: Server, key: str = SCOREKEEPER, **plan: Any) -> Report:
    given = {"channel": DEMO, "players": 10, "rate": 100.0, "seconds": 0.5, **plan}
    return await Simulation(Plan(**given), lambda: Client(server.url, key)).run()


async def players(server: Server, count: int) -> None:
    """Wait until so many have scored."""
    async with (
        asyncio.timeout(10),
        connect(server.url, ADMIN) as client,
        client.subscribe(DEMO) as board,
    ):
        while (await anext(board)).total < count:
            pass


def consistent(report: Report) -> None:
    """What must hold of any report."""
    assert report.sent == report.answered + report.failed + report.unanswered <= report.offered
    assert report.failed == sum(report.failures.values())
    shown = report.publish_to_snapshot_ms
    assert report.answered == shown.count + report.not_shown + report.without_effect
    for spread in (shown, report.publish_to_answer_ms):
        if spread.count:
            values = [spread.p50, spread.p95, spread.p99, spread.max]
            assert None not in values
            assert values == sorted(value for value in values if value is not None)


# -- the crowd ---------------------------------------------------------------------------------------------------------


def test_the_same_seed_is_the_same_crowd_and_another_is_not() -> None:
    plays = [[Crowd(20, seed, Mode.CLIMB).play() for _ in range(3)] for seed in (1, 1, 2)]
    assert plays[0] == plays[1] != plays[2]


def test_names_are_those_of_people_in_several_scripts() -> None:
    crowd = names(200, random.Random(1))
    assert len(set(crowd)) == 200
    scripts = {unicodedata.name(name[0]).partition(" ")[0] for name in crowd}
    assert {"LATIN", "CYRILLIC", "ARABIC", "DEVANAGARI", "CJK", "HANGUL"} <= scripts
    assert all(clean_name(name) == name and len(name) <= 40 for name in crowd)


def test_a_crowd_larger_than_the_supply_of_names_has_namesakes() -> None:
    crowd = names(20 * ENOUGH, random.Random(1))
    assert len(crowd) == 20 * ENOUGH
    assert len(set(crowd[:ENOUGH])) == ENOUGH


@pytest.mark.parametrize(("mode", "sign"), [(Mode.CLIMB, 1), (Mode.FALL, -1)])
def test_totals_only_go_one_way(mode: Mode, sign: int) -> None:
    crowd = Crowd(1, 1, mode)
    totals = [sign * crowd.play()["score"] for _ in range(50)]
    assert totals == sorted(set(totals))


def test_what_is_added_is_always_something() -> None:
    crowd = Crowd(5, 1, Mode.ADD)
    assert all(0 < crowd.play()["score"] <= 100 for _ in range(200))


def test_each_group_has_players_of_its_own_while_there_are_enough() -> None:
    crowd = Crowd(10, 1, Mode.CLIMB)
    groups = [{crowd.play(group, 3)["player"] for _ in range(200)} for group in range(3)]
    assert set.union(*groups) == {player.id for player in crowd.players}
    assert all(not one & other for one, other in itertools.combinations(groups, 2))
    assert {crowd.play(group, 25)["player"] for group in range(25)} <= set.union(*groups)


def test_a_player_goes_on_from_what_the_board_knows_of_it() -> None:
    crowd = Crowd(1, 1, Mode.CLIMB)
    first = crowd.play()
    assert first["name"] == crowd.players[0].name
    crowd.learn(first["player"], 5000)
    second = crowd.play()
    assert second["score"] > 5000
    assert "name" not in second


# -- what is measured --------------------------------------------------------------------------------------------------


def snapshot(version: int, *, reset: bool = False) -> Snapshot:
    round_ = Round(number=1, state="open", frozen=False)
    return Snapshot(channel=DEMO, epoch="e", version=version, round=round_, total=1, reset=reset)


async def test_every_event_counts_from_its_call_to_the_first_snapshot_that_includes_it() -> None:
    shown = Shown()
    shown.snapshot(snapshot(1), 10.0)
    shown.event(version=2, called=10.1)
    shown.event(version=3, called=10.3)
    shown.snapshot(snapshot(3), 10.4)
    shown.snapshot(snapshot(4), 10.5)
    shown.settle()
    assert list(shown.seconds) == pytest.approx([0.3, 0.1])
    assert (shown.not_shown, shown.without_effect) == (0, 0)


async def test_an_event_that_no_snapshot_included_is_told_apart_from_one_that_changed_nothing() -> (
    None
):
    shown = Shown()
    shown.snapshot(snapshot(5), 10.0)
    shown.event(version=5, called=10.1)
    shown.event(version=6, called=10.2)
    shown.settle()
    assert (shown.not_shown, shown.without_effect, len(shown.seconds)) == (1, 1, 0)


async def test_versions_that_begin_anew_are_not_mixed_up_with_the_old_ones() -> None:
    shown = Shown()
    shown.event(version=90, called=1.0)
    shown.snapshot(snapshot(90), 1.5)
    shown.snapshot(snapshot(1, reset=True), 2.0)
    shown.event(version=2, called=2.1)
    shown.snapshot(snapshot(2), 2.2)
    shown.settle()
    assert list(shown.seconds) == pytest.approx([0.5, 0.1])


def test_percentiles_are_durations_that_were_measured() -> None:
    assert Spread.of([]) == Spread(0, None, None, None, None)
    hundred = Spread.of([n / 1000 for n in range(100, 0, -1)])
    assert (hundred.p50, hundred.p95, hundred.p99, hundred.max) == (50.0, 95.0, 99.0, 100.0)


# -- whole runs --------------------------------------------------------------------------------------------------------


async def test_a_run_is_answered_shown_and_accounted_for(server: Server) -> None:
    report = await simulate(server, watchers=3)
    consistent(report)
    assert (report.offered, report.sent, report.answered) == (50, 50, 50)
    assert (report.mode, report.not_shown, report.watchers) == (Mode.CLIMB, 0, 3)
    assert report.publish_to_snapshot_ms.count > 0
    assert report.snapshots_all >= report.snapshots > 1
    async with connect(server.url, ADMIN) as client, client.subscribe(DEMO) as board:
        seen = await anext(board)
        assert 1 < seen.total <= 10
        assert all(row.player.startswith("sim-") and row.name for row in seen.rows)


@pytest.mark.parametrize(
    ("rules", "mode"),
    [
        (Namespace(mode="best"), Mode.CLIMB),
        (Namespace(mode="best", order="asc"), Mode.FALL),
        (Namespace(mode="latest"), Mode.CLIMB),
        (Namespace(mode="sum"), Mode.ADD),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.mode} {value.order}",
)
async def test_it_finds_out_what_makes_a_board_move(
    start: Start, rules: Namespace, mode: Mode
) -> None:
    server = await start(namespaces={"demo": rules})
    for seed in (1, 2):  # the second crowd finds the rows of the first
        report = await simulate(server, channel="/demo/a", seed=seed, players=3, seconds=0.4)
        consistent(report)
        assert report.mode == mode
        assert report.publish_to_snapshot_ms.count > report.without_effect


async def test_no_connection_goes_beyond_the_limit_of_appsync(server: Server) -> None:
    report = await simulate(server, rate=200.0, seconds=1.5)
    consistent(report)
    assert report.failed == 0
    assert report.connections >= 200 / 25


async def test_what_was_asked_for_beyond_the_limit_is_sent_and_its_failures_are_told(
    server: Server,
) -> None:
    report = await simulate(server, rate=200.0, seconds=0.5, connections=1)
    consistent(report)
    assert (report.connections, report.sent) == (1, 100)
    assert report.failures == {"LimitExceededError": report.failed}
    assert report.failed >= 50


async def test_batches_are_counted_by_their_events(server: Server) -> None:
    report = await simulate(server, batch=5)
    consistent(report)
    assert (report.events_per_publish, report.sent) == (5, 50)
    assert report.publish_to_answer_ms.count == 10


def test_many_connections_are_avoided_by_batches() -> None:
    assert Plan(DEMO, rate=100.0).events_per_publish == 1
    plan = Plan(DEMO, rate=10_000.0)
    assert 1 < plan.events_per_publish <= 5
    assert plan.publishers * 25 * plan.events_per_publish >= 10_000


async def test_a_server_that_goes_away_is_told_and_does_not_hold_it_up(start: Start) -> None:
    server = await start(limits=Limits(publishes_per_second=0))
    running = asyncio.create_task(simulate(server, seconds=2.0))
    await players(server, 5)
    await server.stop()
    async with asyncio.timeout(15):
        report = await running
    consistent(report)
    assert 0 < report.answered < report.offered
    assert report.unanswered + report.failed > 0


async def test_it_can_be_stopped_with_the_figures_so_far(server: Server) -> None:
    simulation = Simulation(Plan(DEMO, rate=50.0, seconds=60), lambda: Client(server.url, ADMIN))
    running = asyncio.create_task(simulation.run())
    await players(server, 5)
    simulation.stop()
    async with asyncio.timeout(10):
        report = await running
    consistent(report)
    assert 0 < report.answered <= report.offered < 3000


async def test_what_cannot_be_played_at_all_is_raised(server: Server) -> None:
    with pytest.raises(Refused, match="relay"):
        await simulate(server, channel="/default/chat")
    with pytest.raises(Refused, match="Unauthorized"):
        await simulate(server, key="pk_viewer")


async def test_a_report_is_plain_json(server: Server) -> None:
    figures = asdict(await simulate(server, seconds=0.2))
    assert {"p50", "p95", "p99"} <= figures["publish_to_snapshot_ms"].keys()
    assert figures["achieved_per_second"] == round(figures["answered"] / figures["seconds"], 1)
