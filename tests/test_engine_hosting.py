"""The contract of engines, where boards have hosts: rounds, freezing, people, and what the clock does by itself."""

from __future__ import annotations

import math

import pytest

from leaderboard.engines import Outcome, Running
from leaderboard.events import (
    Ban,
    Clear,
    Close,
    Event,
    Freeze,
    Hide,
    Open,
    Props,
    Remove,
    Reveal,
    Undo,
    Unfreeze,
)
from leaderboard.ranking import View
from leaderboard.settings import Namespace
from tests.engines import TOP, Opener, World, eventually, score

LIVE = View(top=100, live=True)
SHOWN = Namespace(idle_ttl=60, events=True)


def outcomes(outcome: Outcome) -> list[str]:
    """What became of each event: `Applied`, or the name of its refusal."""
    return [type(event).__name__ for event in outcome.events]


# -- the clock ---------------------------------------------------------------------------------------------------------


async def test_a_reading_says_when_the_clock_changes_the_board_next(world: World) -> None:
    await world.publish("/a/x", score("ann", 1))
    assert (await world.read("/a/x")).due == math.inf
    await world.publish("/a/x", Open(in_ms=2000, for_ms=5000))
    opens = world.clock.now + 2
    reading = await world.read("/a/x")
    assert (reading.due, reading.round.starts_at) == (opens, opens)
    assert (reading.round.state, reading.round.ends_at) == ("soon", opens + 5)
    world.clock.now += 2
    assert (await world.read("/a/x")).due == opens + 5
    world.clock.now += 5
    reading = await world.read("/a/x")
    assert (reading.due, reading.round.state, reading.round.ends_at) == (math.inf, "closed", None)
    assert (await world.read("/a/none")).due == math.inf


async def test_a_reading_says_when_the_next_place_is_revealed(world: World) -> None:
    await world.publish("/a/x", *(score(f"p{n}", n) for n in range(3)))
    await world.publish("/a/x", Freeze(), Reveal(every_ms=1500))
    begun = world.clock.now
    for steps in (1, 2):
        assert (await world.read("/a/x")).due == begun + steps * 1.5
        world.clock.now += 1.5
    assert (await world.read("/a/x")).due == math.inf


async def test_a_reading_that_finds_something_due_settles_it_and_says_so(world: World) -> None:
    await world.publish("/a/x", score("ann", 1), Open(in_ms=1000, for_ms=1000))
    await world.heard()
    world.changed.clear()
    world.clock.now += 1
    reading = await world.read("/a/x")
    assert (reading.version, reading.round.state) == (2, "open")
    assert set(await world.heard()) == {"/a/x"}
    world.changed.clear()
    await world.read("/a/x")
    assert await world.heard() == {}, "once"


async def test_a_publish_settles_what_is_due_and_says_so_even_if_it_is_refused(
    world: World,
) -> None:
    await world.publish("/a/x", score("ann", 1), Open(for_ms=1000))
    await world.heard()
    world.changed.clear()
    world.clock.now += 1
    outcome = await world.publish("/a/x", score("ann", 9))
    assert (outcomes(outcome), outcome.version) == (["RoundClosed"], 2)
    assert set(await world.heard()) == {"/a/x"}
    assert await world.scores("/a/x") == [("ann", 1)]


async def test_a_score_counts_up_to_the_end_of_the_round_and_not_at_it(world: World) -> None:
    await world.publish("/a/x", Open(for_ms=1000), score("ann", 1))
    world.clock.now += 0.9995
    assert outcomes(await world.publish("/a/x", score("ann", 2))) == ["Applied"]
    world.clock.now += 0.0005
    assert outcomes(await world.publish("/a/x", score("ann", 3))) == ["RoundClosed"]
    assert await world.scores("/a/x") == [("ann", 2)]


async def test_what_was_due_while_nobody_looked_is_one_version_each(world: World) -> None:
    await world.publish("/a/x", *(score(f"p{n}", n) for n in range(5)))
    await world.publish("/a/x", Open(in_ms=1000, for_ms=1000), Freeze(), Reveal(every_ms=1000))
    world.clock.now += 59
    reading = await world.read("/a/x")
    # Opened, closed, and four more places: the first came with the reveal.
    assert (reading.version, reading.frozen, reading.veiled) == (2 + 2 + 4, False, 0)
    assert (reading.round.state, reading.windows[TOP].version) == ("closed", 8)


async def test_boards_that_are_found_are_as_they_are_now(world: World) -> None:
    await world.publish("/a/x", *(score(f"p{n}", n) for n in range(3)))
    await world.publish("/a/x", Freeze(), Reveal(every_ms=1000), score("late", 9))
    epoch = (await world.read("/a/x")).epoch
    assert await world.find("/a/x") == [Running(channel="/a/x", epoch=epoch, version=2, total=3)]
    world.changed.clear()
    world.clock.now += 59
    assert await world.find("/a/*") == [Running(channel="/a/x", epoch=epoch, version=4, total=4)]
    assert set(await world.heard()) == {"/a/x"}
    assert (await world.read("/a/x")).version == 4


# -- how long a board lives --------------------------------------------------------------------------------------------


async def test_an_idle_board_does_not_end_before_its_round_does(world: World) -> None:
    await world.publish("/a/x", score("ann", 1), Open(for_ms=3_600_000))
    world.clock.now += 3599
    assert await world.scores("/a/x") == [("ann", 1)]
    assert outcomes(await world.publish("/a/x", score("bob", 1))) == ["Applied"]
    world.clock.now += 59
    assert (await world.read("/a/x")).round.state == "closed"
    world.clock.now += 1
    assert not await world.lives("/a/x")


async def test_an_idle_board_does_not_end_before_its_round_begins(world: World) -> None:
    await world.publish("/a/x", score("ann", 1), Open(in_ms=3_600_000))
    world.clock.now += 3599.5
    assert (await world.read("/a/x")).round.state == "soon"
    assert outcomes(await world.publish("/a/x", score("ann", 2))) == ["RoundClosed"]


async def test_a_round_that_is_closed_early_keeps_its_board_no_longer(engine: Opener) -> None:
    world = await engine(channels=1)
    await world.publish("/a/x", score("ann", 1), Open(for_ms=3_600_000))
    await world.publish("/a/x", Close())
    world.clock.now += 60
    await world.publish("/a/y", score("ann", 1))
    assert not await world.lives("/a/x")


async def test_a_board_can_begin_with_its_host_before_there_is_a_score(world: World) -> None:
    outcome = await world.publish("/a/x", Props({"public": {"title": "Finals"}}), Close())
    assert outcome.version == 1
    reading = await world.read("/a/x")
    assert (bytes(reading.props), reading.round.state) == (b'{"title":"Finals"}', "closed")
    assert outcomes(await world.publish("/a/x", score("ann", 1))) == ["RoundClosed"]


@pytest.mark.parametrize("event", [Open(), Unfreeze(), Undo(), Reveal(), Remove("ann")])
async def test_what_does_nothing_to_an_absent_board_makes_none(world: World, event: Event) -> None:
    made = isinstance(event, Open)  # who opens a board decides that it has rounds
    await world.publish("/a/x", event)
    assert await world.lives("/a/x") == made


# -- what is shown to whom ---------------------------------------------------------------------------------------------


async def test_an_outcome_says_whether_the_board_is_frozen(world: World) -> None:
    assert not (await world.publish("/a/x", score("ann", 1))).frozen
    assert (await world.publish("/a/x", Freeze())).frozen
    assert (await world.publish("/a/x", score("ann", 2))).frozen
    assert not (await world.publish("/a/x", Unfreeze())).frozen


async def test_a_frozen_board_is_read_as_it_was_and_live_as_it_is(world: World) -> None:
    await world.publish("/a/x", score("ann", 1), score("bob", 2))
    await world.publish("/a/x", Freeze())
    await world.publish("/a/x", score("ann", 9), score("cid", 5))
    views = (TOP, LIVE, View(around="ann"), View(of=("ann", "cid")))
    reading = await world.read("/a/x", *views)
    assert (reading.version, reading.frozen) == (3, True)
    windows = [reading.windows[view] for view in views]
    assert [(window.version, window.total) for window in windows] == [(2, 2), (3, 3)] + [(2, 2)] * 2
    lists = [window.rows or window.around or window.of or [] for window in windows]
    assert [[row.player for row in rows] for rows in lists] == [
        ["bob", "ann"],
        ["ann", "cid", "bob"],
        ["bob", "ann"],
        ["ann"],
    ]


async def test_raw_texts_of_what_is_not_shown_are_for_hosts_alone(world: World) -> None:
    async def publish(text: str, *events: Event) -> None:
        await world.publish("/a/x", *events, rules=SHOWN, texts=(text,) * len(events))

    await publish("open", score("ann", 1), score("bob", 1))
    await publish("control", Hide("bob"))
    await publish("hidden", score("bob", 2), Remove("bob"), score("bob", 3))
    await publish("open", score("ann", 2))
    await publish("control", Freeze())
    await publish("frozen", score("ann", 3), Remove("ann"))
    await publish("control", Unfreeze())
    await publish("open", score("ann", 4))
    await eventually(lambda: len(world.relayed) == 9)
    told = ["open"] * 2 + ["hidden"] * 3 + ["open"] + ["frozen"] * 2 + ["open"]
    assert [text for _, text in world.relayed] == told
    assert world.private == ["hidden"] * 3 + ["frozen"] * 2


async def test_a_past_round_is_read_while_it_is_kept(world: World) -> None:
    await world.publish("/a/x", score("ann", 1), score("bob", 2))
    await world.publish("/a/x", Clear())
    await world.publish("/a/x", score("cid", 1))
    past, present, coming = (View(top=100, round=number) for number in (1, 2, 3))
    reading = await world.read("/a/x", past, present, coming)
    assert list(reading.windows) == [past, present], "the coming one is not there"
    seen = [[row.player for row in window.rows or []] for window in reading.windows.values()]
    assert seen == [["bob", "ann"], ["cid"]]
    assert [window.version for window in reading.windows.values()] == [2, 3]
    assert reading.round.number == 2
    absent = await world.read("/a/none", View(top=1, round=1), View(top=1, round=2))
    assert list(absent.windows) == [View(top=1, round=1)]


# -- people ------------------------------------------------------------------------------------------------------------


async def test_people_are_found_by_the_beginning_of_a_name_or_an_id(world: World) -> None:
    await world.publish(
        "/a/x", score("p1", 1, name="Ann"), score("anna", 2), score("p2", 3, name="Bob")
    )
    assert [each.player for each in await world.people("/a/x")] == ["p1", "anna", "p2"]
    found = await world.people("/a/x", "AN")
    assert [(each.player, each.name) for each in found] == [("p1", "Ann"), ("anna", None)]
    assert found[0].row is not None
    assert (found[0].row.rank, found[0].row.score) == (3, 1)
    assert [each.player for each in await world.people("/a/x", "an", limit=1)] == ["p1"]
    assert await world.people("/a/x", "x") == await world.people("/a/none") == []


async def test_people_are_found_whatever_their_host_decided_of_them(world: World) -> None:
    await world.publish("/a/x", *(score(f"p{n}", n, name=f"Name {n}") for n in range(4)))
    await world.publish("/a/x", Hide("p0"), Ban("p1"), Remove("p2"), Hide("away"))
    found = await world.people("/a/x", "")
    told = [(each.player, each.name, each.hidden, each.banned) for each in found]
    assert told == [
        ("p0", "Name 0", True, False),
        ("p3", "Name 3", False, False),
        ("away", None, True, False),
        ("p1", "Name 1", False, True),
    ]
    assert [each.row is None for each in found] == [True, False, True, True]
    assert [each.away for each in found] == [False, False, True, True]


async def test_a_reading_counts_who_plays(world: World) -> None:
    await world.publish("/a/x", score("ann", 1), score("bob", 1))
    assert (await world.read("/a/x")).playing == 2
    world.clock.now += 30
    await world.publish("/a/x", score("ann", 0))
    world.clock.now += 30
    assert (await world.read("/a/x")).playing == 1
    world.engine.watch("/a/x", 1)
    world.clock.now += 30
    assert (await world.read("/a/x")).playing == 0
    assert (await world.read("/a/none")).playing == 0


# -- ceilings ----------------------------------------------------------------------------------------------------------


async def test_past_rounds_and_frozen_copies_count_as_entries(engine: Opener) -> None:
    world = await engine(entries=4)
    await world.publish("/a/x", score("ann", 1), score("bob", 1))
    await world.publish("/a/x", Freeze())
    assert outcomes(await world.publish("/a/y", score("ann", 1))) == ["BoardFull"]
    await world.publish("/a/x", Unfreeze(), Clear())
    full = await world.publish("/a/x", *(score(player, 1) for player in ("ann", "bob", "cid")))
    assert outcomes(full) == ["Applied", "Applied", "BoardFull"]
    assert outcomes(await world.publish("/a/x", Freeze())) == ["BoardFull"]
    await world.publish("/a/x", Remove("ann"), Remove("bob"))
    assert outcomes(await world.publish("/a/y", score("ann", 1))) == ["Applied"]


async def test_the_room_of_a_copy_is_free_when_the_clock_has_revealed_it(engine: Opener) -> None:
    world = await engine(entries=5)
    await world.publish("/a/x", score("ann", 1), score("bob", 1), Freeze(), Reveal(every_ms=1000))
    assert outcomes(await world.publish("/a/y", score("p1", 1), score("p2", 1))) == [
        "Applied",
        "BoardFull",
    ]
    world.clock.now += 1
    await world.read("/a/x")
    assert outcomes(await world.publish("/a/y", score("p2", 1))) == ["Applied"]


async def test_a_copy_has_the_room_of_boards_that_have_ended(engine: Opener) -> None:
    world = await engine(entries=5)
    await world.publish("/a/old", score("ann", 1), score("bob", 1))
    world.clock.now += 59
    await world.publish("/a/x", score("ann", 1), score("bob", 1))
    assert outcomes(await world.publish("/a/x", Freeze())) == ["BoardFull"]
    world.clock.now += 1
    assert outcomes(await world.publish("/a/x", Freeze())) == ["Applied"]


async def test_a_refused_control_changes_nothing(engine: Opener) -> None:
    world = await engine(entries=100_000)
    for first in range(0, 20_001, 500):  # as much as a publish ever has, and more
        many = [score(f"p{n}", n) for n in range(first, min(first + 500, 20_001))]
        await world.publish("/a/x", *many)
    before = await world.read("/a/x")
    refused = await world.publish("/a/x", Reveal(), Freeze(), Undo())
    assert outcomes(refused) == ["NotFrozen", "BoardTooLarge", "NothingToUndo"]
    after = await world.read("/a/x")
    assert (after.version, after.frozen, after.round) == (before.version, False, before.round)
