"""The contract of engines: what every one of them promises, tested through the interface alone."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from leaderboard.board import Applied
from leaderboard.engines import Outcome, Reading, Running, open_engine
from leaderboard.engines.memory import MemoryEngine
from leaderboard.errors import BoardFull, LimitExceeded
from leaderboard.events import Remove
from leaderboard.ranking import View
from leaderboard.settings import Limits, Namespace
from tests.engines import SUM, TOP, Opener, World, eventually, score

# -- apply and read ----------------------------------------------------------------------------------------------------


async def test_what_was_applied_is_read(world: World) -> None:
    outcome = await world.publish("/a/x", score("ann", 5, name="Ann"), score("bob", 7))
    assert outcome.version == 1
    assert list(outcome.events) == [
        Applied("ann", 5.0, changed=True),
        Applied("bob", 7.0, changed=True),
    ]
    await world.publish("/a/x", score("cid", 6))
    reading = await world.read("/a/x")
    assert (reading.channel, reading.version, reading.round.number) == ("/a/x", 2, 1)
    assert reading.windows[TOP].total == 3
    assert await world.scores("/a/x") == [("bob", 7), ("cid", 6), ("ann", 5)]


async def test_an_absent_board_reads_empty_and_is_not_made_by_reading(world: World) -> None:
    reading = await world.read("/a/x", TOP, View(around="ann"), View(of=("ann",)))
    assert (reading.epoch, reading.version, reading.windows[TOP].total) == ("", 0, 0)
    assert [window.rows for window in reading.windows.values()] == [[], None, None]
    assert reading.windows[View(around="ann")].around == []
    assert reading.windows[View(of=("ann",))].of == []
    world.engine.watch("/a/x", 1)
    assert await world.find("/*") == []
    assert await world.heard() == {}


async def test_all_views_are_read_at_one_version(world: World) -> None:
    await world.publish("/a/x", *[score(f"p{n}", n) for n in range(5)])
    views = [View(top=2), View(top=2, offset=2), View(around="p2", radius=1), View(of=("p0",))]
    reading = await world.read("/a/x", *views)
    assert list(reading.windows) == views
    seen = [
        [row.player for row in window.rows or window.around or window.of or []]
        for window in reading.windows.values()
    ]
    assert seen == [["p4", "p3"], ["p2", "p1"], ["p3", "p2", "p1"], ["p0"]]


async def test_a_reading_tells_the_engines_time(world: World) -> None:
    world.clock.now += 12.5
    assert (await world.read("/a/x")).now == pytest.approx(world.clock.now, abs=0.001)


async def test_boards_are_apart(world: World) -> None:
    await world.publish("/a/x", score("ann", 5))
    await world.publish("/a/x/y", score("bob", 7))
    assert await world.scores("/a/x") == [("ann", 5)]
    assert await world.scores("/a/x/y") == [("bob", 7)]
    epochs = {(await world.read(channel)).epoch for channel in ("/a/x", "/a/x/y")}
    assert len(epochs) == 2


async def test_the_rules_of_the_namespace_hold(world: World) -> None:
    rules = Namespace(mode="latest", order="asc", max_entries=2, max_score=10, ties="ordinal")
    outcome = await world.publish(
        "/a/x", score("ann", 5), score("ann", 9), score("bob", 11), score("cid", 9), rules=rules
    )
    assert [type(event).__name__ for event in outcome.events] == [
        "Applied",
        "Applied",
        "ScoreOutOfRange",
        "Applied",
    ]
    rows = (await world.read("/a/x", rules=rules)).windows[TOP].rows
    assert rows is not None
    assert [(row.rank, row.player, row.score) for row in rows] == [(1, "ann", 9), (2, "cid", 9)]
    full = await world.publish("/a/x", score("dee", 1), rules=rules)
    assert isinstance(full.events[0], BoardFull)


async def test_applies_to_one_board_happen_in_the_order_of_the_calls(world: World) -> None:
    asked = [world.apply("/a/x", score("ann", n), rules=SUM) for n in range(1, 51)]
    asked += [world.apply("/a/x", score(f"p{n:02}", 1000), rules=SUM) for n in range(50)]
    outcomes = [await answer for answer in asked]
    assert [outcome.version for outcome in outcomes if isinstance(outcome, Outcome)] == list(
        range(1, 101)
    )
    sums = [
        event.score
        for outcome in outcomes[:50]
        if isinstance(outcome, Outcome)
        for event in outcome.events
        if isinstance(event, Applied)
    ]
    assert sums == [n * (n + 1) / 2 for n in range(1, 51)]
    assert await world.scores("/a/x") == [("ann", 1275)] + [(f"p{n:02}", 1000) for n in range(50)]


async def test_a_read_sees_every_apply_called_before_it(world: World) -> None:
    asked: list[Awaitable[object]] = []
    for n in range(1, 21):
        asked.append(world.apply("/a/x", score("ann", n)))
        asked.append(world.read("/a/x"))
        asked.append(world.apply("/a/other", score("ann", n)))
    answers = [await answer for answer in asked]
    readings = [answer for answer in answers if isinstance(answer, Reading)]
    assert all(reading.version >= n for n, reading in enumerate(readings, 1))


async def test_a_batch_is_one_step_and_nothing_comes_between(world: World) -> None:
    asked = [
        world.apply("/a/x", score(player, 1), Remove(player), score(player, 2))
        for player in ("ann", "bob", "cid")
    ]
    versions = [
        answer.version for answer in [await one for one in asked] if isinstance(answer, Outcome)
    ]
    assert versions == [1, 2, 3]
    assert await world.scores("/a/x") == [("ann", 2), ("bob", 2), ("cid", 2)]


async def test_ranks_are_those_after_the_last_event(world: World) -> None:
    outcome = await world.publish(
        "/a/x", score("ann", 5), Remove("eve"), score("bob", 9), score("ann", 1), ranked=True
    )
    assert list(outcome.ranks) == [2, None, 1, 2]
    unasked = await world.publish("/a/x", score("ann", 6))
    assert list(unasked.ranks) == []


async def test_a_refused_event_has_no_rank(world: World) -> None:
    rules = Namespace(max_score=10)
    outcome = await world.publish(
        "/a/x", score("ann", 11), score("bob", 9), rules=rules, ranked=True
    )
    assert list(outcome.ranks) == [None, 1]


async def test_retries_are_known_to_the_board(world: World) -> None:
    await world.publish("/a/x", score("ann", 5, by="s", n=1), rules=SUM)
    again = await world.publish("/a/x", score("ann", 5, by="s", n=1), rules=SUM)
    assert list(again.events) == [Applied("ann", 5.0, duplicate=True)]
    assert again.version == 1


async def test_retry_windows_lapse_on_the_engines_clock(world: World) -> None:
    rules = Namespace(mode="sum", idle_ttl=3600)
    await world.publish("/a/x", score("ann", 5, n=1), rules=rules)
    world.clock.now += 599
    assert (await world.publish("/a/x", score("ann", 5, n=1), rules=rules)).version == 1
    world.clock.now += 1
    assert (await world.publish("/a/x", score("ann", 5, n=1), rules=rules)).version == 2


async def test_a_first_publish_without_effect_makes_no_board(world: World) -> None:
    outcome = await world.publish(
        "/a/x", Remove("ann"), score("bob", 11), rules=Namespace(max_score=9)
    )
    assert outcome.version == 0
    assert not await world.lives("/a/x")
    assert await world.heard() == {}


async def test_an_emptied_board_goes_on(world: World) -> None:
    await world.publish("/a/x", score("ann", 5))
    epoch = (await world.read("/a/x")).epoch
    await world.publish("/a/x", Remove("ann"))
    reading = await world.read("/a/x")
    assert (reading.epoch, reading.version, reading.windows[TOP].total) == (epoch, 2, 0)


@pytest.mark.parametrize("behind", [0, 1])
async def test_no_reading_is_older_than_the_floor(world: World, behind: int) -> None:
    for n in range(1, 4):
        await world.publish("/a/x", score("ann", n))
    epoch = (await world.read("/a/x")).epoch
    reading = await world.read("/a/x", floor=(epoch, 3 - behind))
    assert (reading.epoch, reading.version) == (epoch, 3)


async def test_a_floor_of_another_life_of_the_board_raises_nothing(world: World) -> None:
    await world.publish("/a/x", score("ann", 1))
    assert (await world.read("/a/x", floor=("an older life", 99))).version == 1
    assert (await world.read("/a/none", floor=("an older life", 99))).version == 0


# -- what the engine says ----------------------------------------------------------------------------------------------


async def test_changed_is_told_when_and_only_when_something_changed(world: World) -> None:
    await world.publish("/a/x", score("ann", 5, n=1))
    assert set(await world.heard()) == {"/a/x"}
    world.changed.clear()
    await world.publish("/a/x", score("ann", 5))
    await world.publish("/a/x", score("ann", 4))
    await world.publish("/a/x", score("ann", 9, n=1))
    await world.publish("/a/x", score("ann", 9, round=2))
    await world.publish("/a/x", Remove("nobody"))
    await world.read("/a/x")
    await world.find("/*")
    await world.relay("/a/x", "1")
    world.engine.watch("/a/x", 3)
    world.engine.watch("/a/x", 0)
    assert await world.heard() == {}
    await world.publish("/a/x", score("ann", 6))
    await world.publish("/a/y", score("ann", 6), score("bob", 6))
    assert set(await world.heard()) == {"/a/x", "/a/y"}


async def test_raw_texts_are_those_of_applied_events_in_order(world: World) -> None:
    rules = Namespace(max_score=10, events=True)
    first = score("ann", 5, n=1)
    await world.publish(
        "/a/x",
        first,
        score("bob", 11),
        score("cid", 3),
        rules=rules,
        texts=("first", "high", "cid"),
    )
    await world.publish("/a/x", first, score("ann", 5), rules=rules, texts=("repeat", "no effect"))
    await world.publish("/a/x", score("bob", 11), rules=rules, texts=("high",))
    await world.publish("/a/x", score("dee", 1), rules=rules)
    await world.relay("/a/end", "end")
    await eventually(lambda: ("/a/end", "end") in world.relayed)
    assert world.relayed == [
        ("/a/x", "first"),
        ("/a/x", "cid"),
        ("/a/x", "no effect"),
        ("/a/end", "end"),
    ]


async def test_relayed_events_come_in_order_and_make_no_board(world: World) -> None:
    asked = [world.relay("/r/x", f"{n}a", f"{n}b") for n in range(20)]
    assert [await answer for answer in asked] == [None] * 20
    await eventually(lambda: len(world.relayed) == 40)
    assert world.relayed == [("/r/x", f"{n}{part}") for n in range(20) for part in "ab"]
    assert await world.find("/*") == []
    assert await world.heard() == {}


# -- revocations -------------------------------------------------------------------------------------------------------


async def test_a_revocation_is_told_to_whoever_asks_for_tokens(world: World) -> None:
    until = world.clock.now + 60
    assert await world.revoke("t1", until) is None
    assert await world.revoke("t2", until + 1) is None
    await eventually(lambda: len(world.revoked) == 2)
    assert world.revoked == [("t1", until), ("t2", until + 1)]


# -- how long a board lives --------------------------------------------------------------------------------------------


async def test_an_idle_board_ends_after_its_time_and_says_so(world: World) -> None:
    await world.publish("/a/x", score("ann", 5))
    epoch = (await world.read("/a/x")).epoch
    world.clock.now += 59.9
    assert (await world.read("/a/x")).epoch == epoch
    await world.heard()
    world.changed.clear()
    world.clock.now += 0.1
    assert await world.find("/a/*") == []
    assert not await world.lives("/a/x")
    await eventually(lambda: world.changed["/a/x"] > 0)


async def test_the_next_life_of_a_board_has_another_epoch_and_begins_anew(world: World) -> None:
    await world.publish("/a/x", score("ann", 5, n=1), rules=SUM)
    epoch = (await world.read("/a/x")).epoch
    world.clock.now += 60
    outcome = await world.publish("/a/x", score("bob", 1), score("ann", 5, n=1), rules=SUM)
    assert outcome.version == 1
    reading = await world.read("/a/x")
    assert reading.epoch not in ("", epoch)
    assert await world.scores("/a/x") == [("ann", 5), ("bob", 1)]


async def test_a_publish_keeps_a_board_alive_also_without_effect(world: World) -> None:
    await world.publish("/a/x", score("ann", 5))
    world.clock.now += 59
    await world.publish("/a/x", score("ann", 1))
    world.clock.now += 59
    assert await world.lives("/a/x")
    world.clock.now += 1
    assert not await world.lives("/a/x")


async def test_a_publish_that_is_refused_keeps_no_board_alive(world: World) -> None:
    rules = Namespace(max_score=10, idle_ttl=60)
    await world.publish("/a/x", score("ann", 5), rules=rules)
    world.clock.now += 59
    await world.publish("/a/x", score("ann", 11), score("bob", 11), rules=rules)
    world.clock.now += 1
    assert not await world.lives("/a/x")


async def test_a_repeated_event_keeps_no_board_alive(world: World) -> None:
    await world.publish("/a/x", score("ann", 5, by="phone", n=1))
    world.clock.now += 59
    await world.publish("/a/x", score("ann", 5, by="phone", n=1))
    world.clock.now += 1
    assert not await world.lives("/a/x")


async def test_reading_keeps_no_board_alive(world: World) -> None:
    await world.publish("/a/x", score("ann", 5))
    for _ in range(5):
        world.clock.now += 10
        assert await world.lives("/a/x")
        assert len(await world.find("/*")) == 1
    world.clock.now += 10
    assert not await world.lives("/a/x")


async def test_each_board_lives_as_long_as_its_namespace_says(world: World) -> None:
    await world.publish("/a/x", score("ann", 5))
    await world.publish("/b/x", score("ann", 5), rules=Namespace(idle_ttl=120))
    world.clock.now += 60
    assert [board.channel for board in await world.find("/*")] == ["/b/x"]
    world.clock.now += 60
    assert await world.find("/*") == []


async def test_a_watched_board_does_not_end(world: World) -> None:
    await world.publish("/a/x", score("ann", 5))
    world.engine.watch("/a/x", 2)
    world.engine.watch("/a/x", 1)
    world.clock.now += 3600
    assert await world.scores("/a/x") == [("ann", 5)]


async def test_a_board_that_was_watched_lives_its_time_from_the_last_watcher_on(
    world: World,
) -> None:
    await world.publish("/a/x", score("ann", 5))
    world.engine.watch("/a/x", 1)
    world.clock.now += 3600
    world.engine.watch("/a/x", 0)
    world.clock.now += 59
    assert await world.lives("/a/x")
    world.clock.now += 1
    assert not await world.lives("/a/x")


async def test_a_board_that_is_born_watched_does_not_end(world: World) -> None:
    world.engine.watch("/a/x", 1)
    await world.publish("/a/x", score("ann", 5))
    world.clock.now += 3600
    assert await world.lives("/a/x")
    assert not await world.lives("/a/y")


async def test_who_comes_too_late_to_watch_finds_no_board(world: World) -> None:
    await world.publish("/a/x", score("ann", 5))
    world.clock.now += 60
    world.engine.watch("/a/x", 1)
    assert not await world.lives("/a/x")
    await world.publish("/a/x", score("bob", 1))
    world.clock.now += 3600
    assert await world.scores("/a/x") == [("bob", 1)]


async def test_watching_one_board_keeps_no_other(world: World) -> None:
    for channel in ("/a/x", "/a/x/y", "/a/xy"):
        await world.publish(channel, score("ann", 5))
    world.engine.watch("/a/x", 1)
    world.clock.now += 60
    assert [board.channel for board in await world.find("/*")] == ["/a/x"]


# -- ceilings ----------------------------------------------------------------------------------------------------------


async def test_a_board_over_the_ceiling_is_refused_and_changes_nothing(engine: Opener) -> None:
    world = await engine(channels=3)
    for channel in ("/a/x", "/a/y", "/a/z"):
        await world.publish(channel, score("ann", 5))
    world.changed.clear()
    refusal = await world.apply("/a/more", score("ann", 5))
    assert isinstance(refusal, LimitExceeded)
    assert "3 boards" in refusal.message
    assert not await world.lives("/a/more")
    assert (await world.publish("/a/x", score("bob", 5))).version == 2, "the others go on"
    assert await world.find("/a/more") == []


async def test_a_board_that_has_ended_gives_way_to_a_new_one(engine: Opener) -> None:
    world = await engine(channels=3)
    for channel in ("/a/x", "/a/y", "/a/z"):
        await world.publish(channel, score("ann", 5))
        world.clock.now += 1
    world.clock.now += 57
    await world.publish("/a/new", score("ann", 5))
    assert [board.channel for board in await world.find("/*")] == ["/a/new", "/a/y", "/a/z"]
    assert isinstance(await world.apply("/a/more", score("ann", 5)), LimitExceeded)


async def test_each_board_that_ends_gives_way_in_its_turn(engine: Opener) -> None:
    world = await engine(channels=3)
    world.engine.watch("/a/w", 1)
    for channel in ("/a/w", "/a/x", "/a/y"):
        await world.publish(channel, score("ann", 5))
        world.clock.now += 10
    world.clock.now += 40  # /a/x has ended
    await world.publish("/a/1", score("ann", 5))
    world.engine.watch("/a/w", 0)
    assert isinstance(await world.apply("/a/2", score("ann", 5)), LimitExceeded)
    world.clock.now += 10  # /a/y too
    await world.publish("/a/2", score("ann", 5))
    assert isinstance(await world.apply("/a/3", score("ann", 5)), LimitExceeded)
    world.clock.now += 50  # /a/1 and /a/w too
    await world.publish("/a/3", score("ann", 5))
    await world.publish("/a/4", score("ann", 5))
    assert [board.channel for board in await world.find("/*")] == ["/a/2", "/a/3", "/a/4"]


async def test_a_board_that_is_watched_no_more_gives_way(engine: Opener) -> None:
    world = await engine(channels=1)
    world.engine.watch("/a/w", 1)
    await world.publish("/a/w", score("ann", 5))
    world.clock.now += 3600
    assert isinstance(await world.apply("/a/x", score("ann", 5)), LimitExceeded)
    world.engine.watch("/a/w", 0)
    world.clock.now += 60
    await world.publish("/a/x", score("ann", 5))


async def test_ten_thousand_boards_and_no_more(world: World) -> None:
    for n in range(10_000):
        world.apply(f"/a/{n}", score("ann", 5))
    assert isinstance(await world.apply("/a/x", score("ann", 5)), LimitExceeded)
    world.clock.now += 60
    await world.publish("/a/x", score("ann", 5))


async def test_entries_are_counted_over_all_boards(engine: Opener) -> None:
    world = await engine(entries=3)
    await world.publish("/a/x", score("ann", 5), score("bob", 5))
    outcome = await world.publish("/a/y", score("cid", 5), score("dee", 5), score("cid", 6))
    assert [type(event) for event in outcome.events] == [Applied, BoardFull, Applied]
    assert isinstance((await world.publish("/a/x", score("eve", 5))).events[0], BoardFull)
    refused = await world.publish("/a/z", score("eve", 5))
    assert isinstance(refused.events[0], BoardFull)
    assert not await world.lives("/a/z")
    assert isinstance((await world.publish("/a/x", score("ann", 9))).events[0], Applied)


async def test_a_removed_entry_makes_room_on_every_board(engine: Opener) -> None:
    world = await engine(entries=2)
    await world.publish("/a/x", score("ann", 5), score("bob", 5))
    outcome = await world.publish("/a/x", Remove("ann"), score("cid", 5), score("dee", 5))
    assert [type(event) for event in outcome.events] == [Applied, Applied, BoardFull]
    await world.publish("/a/x", Remove("bob"))
    assert isinstance((await world.publish("/a/y", score("eve", 5))).events[0], Applied)


async def test_the_entries_of_a_board_that_has_ended_do_not_count(engine: Opener) -> None:
    world = await engine(entries=2)
    await world.publish("/a/x", score("ann", 5), score("bob", 5))
    world.clock.now += 60
    outcome = await world.publish("/a/y", score("ann", 5), score("bob", 5), score("cid", 5))
    assert [type(event) for event in outcome.events] == [Applied, Applied, BoardFull]


# -- find --------------------------------------------------------------------------------------------------------------

FOUND = ["/a", "/a-b/x", "/a/x", "/a/x-y", "/a/x-y/z", "/a/x/y", "/a/xy", "/aa/x", "/b/x"]


async def founded(world: World) -> World:
    for channel in reversed(FOUND):
        await world.publish(channel, score("ann", 5))
    return world


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/*", FOUND),
        ("/a/*", ["/a/x", "/a/x-y", "/a/x-y/z", "/a/x/y", "/a/xy"]),
        ("/a/x/*", ["/a/x/y"]),
        ("/a/x", ["/a/x"]),
        ("/a", ["/a"]),
        ("/b/x", ["/b/x"]),
        ("/b", []),
        ("/c/*", []),
    ],
)
async def test_found_is_what_the_pattern_covers_by_path(
    world: World, pattern: str, found: list[str]
) -> None:
    await founded(world)
    assert [board.channel for board in await world.find(pattern)] == found


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 8, 9, 10])
@pytest.mark.parametrize("pattern", ["/*", "/a/*", "/a/x"])
async def test_pages_follow_each_other_without_gap_or_repeat(
    world: World, pattern: str, limit: int
) -> None:
    await founded(world)
    whole = [board.channel for board in await world.find(pattern)]
    paged: list[str] = []
    while page := await world.find(pattern, after=paged[-1] if paged else "", limit=limit):
        assert len(page) <= limit
        paged += [board.channel for board in page]
        assert paged == whole[: len(paged)]
    assert paged == whole


async def test_a_page_begins_behind_a_path_that_need_not_be_there(world: World) -> None:
    await founded(world)
    assert [board.channel for board in await world.find("/*", after="/a/x-z", limit=2)] == [
        "/a/x/y",
        "/a/xy",
    ]
    assert [board.channel for board in await world.find("/a/*", after="/0")] == FOUND[2:7]
    assert await world.find("/a/*", after="/b") == []


async def test_many_boards_are_found_page_by_page(world: World) -> None:
    channels = sorted(f"/a/{n}" for n in range(1200))
    for channel in channels:
        world.apply(channel, score("ann", 5))
    world.apply("/b/x", score("ann", 5))
    paged: list[str] = []
    sizes = []
    while page := await world.find("/a/*", after=paged[-1] if paged else "", limit=500):
        sizes.append(len(page))
        paged += [board.channel for board in page]
        assert paged == channels[: len(paged)]
    assert sizes == [500, 500, 200]


async def test_ended_boards_leave_no_hole_in_a_page(world: World) -> None:
    for n in range(6):
        await world.publish(f"/a/{n}", score("ann", 5), rules=Namespace(idle_ttl=60 + n % 2 * 60))
    world.clock.now += 60
    assert [board.channel for board in await world.find("/*", limit=2)] == ["/a/1", "/a/3"]


async def test_found_boards_say_where_they_stand(world: World) -> None:
    await world.publish("/a/x", score("ann", 5), score("bob", 5))
    await world.publish("/a/x", score("cid", 5))
    reading = await world.read("/a/x")
    assert await world.find("/a/x") == [
        Running(channel="/a/x", epoch=reading.epoch, version=2, total=3)
    ]


# -- the choice by URL -------------------------------------------------------------------------------------------------


def test_a_url_names_its_engine() -> None:
    assert isinstance(open_engine("memory://", Limits()), MemoryEngine)
    with pytest.raises(ValueError, match="no engine for sqlite://"):
        open_engine("sqlite:///x", Limits())
