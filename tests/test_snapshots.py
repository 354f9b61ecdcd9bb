"""Snapshots: what the views show, when they are sent, and what becomes of a subscriber when the board does."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.appsync import Client, Snapshot, eventually, players
from tests.conftest import HOST, Server, Start

BOARD = "/leaderboard/arcade"


def score(player: str, value: float) -> dict[str, Any]:
    return {"player": player, "score": value}


async def fill(client: Client, count: int, channel: str = BOARD) -> None:
    """Players p1 to p`count`, the first one best."""
    events = [score(f"p{number}", count - number) for number in range(1, count + 1)]
    batches = (events[start : start + 5] for start in range(0, count, 5))
    await client.publish_all(client.publication(channel, *batch) for batch in batches)


def places(rows: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    return [(row["player"], row["rank"], row["position"]) for row in rows]


# -- views -------------------------------------------------------------------------------------------------------------


async def test_the_default_view_is_the_namespaces_top(start: Start) -> None:
    server = await start(namespaces={"leaderboard": {"top": 3}}, limits={"publishes_per_second": 0})
    client = await server.client()
    await fill(client, 12)
    nothing: list[dict[str, Any]] = [{}, {"view": None}, {"view": {}}]
    for members in (*nothing, {"view": {"every": 1}}, {"view": {"since": ""}}):
        board = await client.subscribe(BOARD, **members)
        snapshot = await client.snapshot(board)
        assert players(snapshot) == ["p1", "p2", "p3"]
        assert snapshot["total"] == 12
        assert not {"around", "of"} & snapshot.keys()


async def test_top_shows_as_many_rows_as_were_asked_for(start: Start) -> None:
    server = await start(limits={"publishes_per_second": 0})
    client = await server.client()
    await fill(client, 120)
    for top in (1, 25, 100):
        snapshot = await client.look(BOARD, top=top)
        assert players(snapshot) == [f"p{number}" for number in range(1, top + 1)]


async def test_around_shows_a_player_and_the_neighbours(start: Start) -> None:
    server = await start(limits={"publishes_per_second": 0})
    client = await server.client()
    await fill(client, 120)
    snapshot = await client.look(BOARD, around="p60", radius=1)
    assert "rows" not in snapshot
    assert snapshot["around"] == [
        {"rank": n, "position": n, "player": f"p{n}", "score": 120 - n, "percentile": percentile}
        for n, percentile in ((59, 0.5083), (60, 0.5), (61, 0.4916))
    ]
    around = (await client.look(BOARD, around="p1", radius=2))["around"]
    assert [row["player"] for row in around] == ["p1", "p2", "p3"]
    around = (await client.look(BOARD, around="p120"))["around"]
    assert [row["player"] for row in around] == ["p118", "p119", "p120"]
    assert len((await client.look(BOARD, around="p60", radius=50))["around"]) == 101
    assert len((await client.look(BOARD, around="p60", radius=0))["around"]) == 1


async def test_top_and_around_come_together(server: Server) -> None:
    client = await server.client()
    await fill(client, 10)
    snapshot = await client.look(BOARD, top=2, around="p9", radius=1)
    assert players(snapshot) == ["p1", "p2"]
    assert [row["player"] for row in snapshot["around"]] == ["p8", "p9", "p10"]


async def test_of_shows_the_named_players_in_the_order_of_the_board(server: Server) -> None:
    client = await server.client()
    await fill(client, 10)
    snapshot = await client.look(BOARD, of=["p9", "nobody", "p2", "p9"])
    assert "rows" not in snapshot
    assert places(snapshot["of"]) == [("p2", 2, 2), ("p9", 9, 9)]
    assert [row["percentile"] for row in snapshot["of"]] == [0.8, 0.1]


async def test_around_a_player_who_is_not_there_is_an_empty_window_until_it_is(
    server: Server,
) -> None:
    client = await server.client()
    await fill(client, 3)
    me = await client.subscribe(BOARD, view={"around": "me"})
    assert (await client.snapshot(me))["around"] == []
    await client.publish(BOARD, score("me", 1.5))
    snapshot = await client.snapshot(me, total=4)
    assert [row["player"] for row in snapshot["around"]] == ["p1", "me", "p2", "p3"][0:4]


async def test_each_view_of_a_board_follows_it(server: Server) -> None:
    client = await server.client()
    views = [{"top": 1}, {"top": 2}, {"around": "ann"}, {"of": ["ann", "bob"]}, {"every": 2}]
    ids = [await client.subscribe(BOARD, view=view) for view in views]
    await client.publish(BOARD, score("ann", 1), score("bob", 2))
    snapshots = [await client.snapshot(id_, total=2) for id_ in ids]
    assert {snapshot["version"] for snapshot in snapshots} == {1}
    lists = [{name for name in ("rows", "around", "of") if name in seen} for seen in snapshots]
    assert lists == [{"rows"}, {"rows"}, {"around"}, {"of"}, {"rows"}]


# -- ranks -------------------------------------------------------------------------------------------------------------


async def test_of_equal_scores_who_got_there_first_stands_first_and_shares_the_rank(
    server: Server,
) -> None:
    client = await server.client()
    for player, value in (("zoe", 5), ("ann", 5), ("bob", 9), ("cid", 5), ("dee", 1)):
        await client.publish(BOARD, score(player, value))
    await client.publish(BOARD, score("zoe", 5))  # repeating a score keeps the place
    assert places((await client.look(BOARD))["rows"]) == [
        ("bob", 1, 1),
        ("zoe", 2, 2),
        ("ann", 2, 3),
        ("cid", 2, 4),
        ("dee", 5, 5),
    ]
    around = (await client.look(BOARD, around="cid", radius=1))["around"]
    assert places(around) == [("ann", 2, 3), ("cid", 2, 4), ("dee", 5, 5)]


async def test_ordinal_ranks_know_no_ties(start: Start) -> None:
    server = await start(namespaces={"leaderboard": {"ties": "ordinal"}})
    client = await server.client()
    await client.publish(BOARD, score("zoe", 5), score("ann", 5), score("bob", 9))
    assert places((await client.look(BOARD))["rows"]) == [
        ("bob", 1, 1),
        ("zoe", 2, 2),
        ("ann", 3, 3),
    ]


async def test_on_an_asc_board_less_is_better(start: Start) -> None:
    server = await start(namespaces={"leaderboard": {"order": "asc"}})
    client = await server.client()
    await client.publish(BOARD, score("ann", 12.5), score("bob", 11), score("cid", -3))
    await client.publish(BOARD, score("ann", 13), score("bob", 10.25))
    rows = (await client.look(BOARD))["rows"]
    assert [(row["player"], row["score"]) for row in rows] == [
        ("cid", -3),
        ("bob", 10.25),
        ("ann", 12.5),
    ]


# -- when --------------------------------------------------------------------------------------------------------------

LONG = {"leaderboard": {"interval_ms": 60_000}}
"""An interval far beyond a client's patience: what comes within it did not wait for its end."""


async def test_the_first_change_of_a_quiet_board_goes_out_at_once(start: Start) -> None:
    server = await start(namespaces=LONG)
    client = await server.client()
    board = await client.subscribe(BOARD)
    below = await client.subscribe("/leaderboard/*")
    await client.publish(BOARD, score("ann", 1))
    await client.snapshot(board, total=1)
    await client.snapshot(below, total=1)


async def test_a_burst_makes_few_snapshots_and_the_last_one_is_final(start: Start) -> None:
    server = await start(limits={"publishes_per_second": 0})
    interval = server.settings.namespaces["leaderboard"].interval_ms
    watchers = {
        "exact": (await server.client(), BOARD, {}),
        "personal": (await server.client(), BOARD, {"view": {"around": "p7"}}),
        "wildcard": (await server.client(), "/leaderboard/*", {}),
    }
    ids = {
        name: await client.subscribe(channel, **members)
        for name, (client, channel, members) in watchers.items()
    }
    publishers = [await server.client() for _ in range(5)]

    async def burst(number: int, publisher: Client) -> None:
        numbers = range(number, 1000, len(publishers))
        await publisher.publish_all(
            publisher.publication(BOARD, score(f"p{n}", n)) for n in numbers
        )

    await asyncio.gather(*(burst(number, client) for number, client in enumerate(publishers)))
    for name, (client, _, _) in watchers.items():
        seen: list[Snapshot] = []
        while not seen or seen[-1]["total"] < 1000:
            seen.append(await client.snapshot(ids[name]))
        versions = [snapshot["version"] for snapshot in seen]
        assert versions[-1] == 1000, name
        assert versions == sorted(versions), name  # a change in who watches repeats one
        # One a beat, besides the first one that goes out at once, the one on subscribe, and one for the presence
        # of the other watchers. The server's own clock counts the beats, so a slow machine only sees fewer.
        beats = (seen[-1]["time"] - seen[0]["time"]) / interval
        assert len(seen) <= beats + 4, name


async def test_snapshots_come_at_most_once_an_interval(start: Start) -> None:
    interval = 100
    server = await start(
        limits={"publishes_per_second": 0}, namespaces={"leaderboard": {"interval_ms": interval}}
    )
    client, publisher = await server.client(), await server.client()
    board = await client.subscribe(BOARD)
    tenth = await client.subscribe(BOARD, view={"every": 10})
    await client.snapshot(tenth)
    first = await client.snapshot(board)
    seen, value = [first], 0
    while seen[-1]["time"] < first["time"] + 15 * interval:
        value += 1
        await publisher.publish(BOARD, score("ann", value))
        if client.frames or value % 10 == 0:
            seen.append(await client.snapshot(board))
    # besides the one on subscribe and the first change, which goes out at once, one a beat
    beats = (seen[-1]["time"] - seen[0]["time"]) / interval
    assert len(seen) <= beats + 3
    slow = [frame for frame in client.frames if frame["id"] == tenth]
    assert 1 <= len(slow) <= beats / 10 + 3
    last = await client.snapshot(tenth, version=value)
    assert last["rows"] == [{"rank": 1, "position": 1, "player": "ann", "score": value}]


async def test_a_change_without_effect_is_no_snapshot(server: Server) -> None:
    client = await server.client()
    board = await client.subscribe(BOARD)
    await client.publish(BOARD, score("ann", 5))
    await client.snapshot(board, total=1)
    for value in (5, 4, 3):  # best stands
        await client.publish(BOARD, score("ann", value))
    await client.publish(BOARD, {"player": "bob"})
    await client.publish(BOARD, score("ann", 6))
    assert (await client.snapshot(board))["version"] == 2


async def test_a_subscriber_of_many_boards_gets_each(server: Server) -> None:
    client, publisher = await server.client(), await server.client()
    channels = [f"/leaderboard/room-{number}" for number in range(20)]
    ids = {channel: await client.subscribe(channel) for channel in channels}
    for channel in channels:
        await publisher.publish(channel, score("ann", 1))
    for channel, id_ in ids.items():
        assert (await client.snapshot(id_, total=1))["channel"] == channel


# -- who watches -------------------------------------------------------------------------------------------------------


async def test_watching_counts_connections_not_subscriptions(server: Server) -> None:
    first, second = await server.client(), await server.client()
    board = await first.subscribe(BOARD)
    await first.subscribe(BOARD, view={"top": 1})
    assert (await first.snapshot(board))["watching"] == 1
    await second.subscribe(BOARD)
    assert (await first.snapshot(board, watching=2))["version"] == 0
    await second.socket.close()
    await first.snapshot(board, watching=1)


async def test_who_comes_and_goes_is_told_once_a_second(server: Server) -> None:
    witness = await server.client()
    board = await witness.subscribe(BOARD)
    first = await witness.snapshot(board, watching=1)
    visitors = [await server.client() for _ in range(10)]
    for _ in range(3):
        ids = [await visitor.subscribe(BOARD) for visitor in visitors]
        for visitor, id_ in zip(visitors, ids, strict=True):
            await visitor.unsubscribe(id_)
    for visitor in visitors:
        await visitor.subscribe(BOARD)
    seen = [first]
    while seen[-1]["watching"] != 11:
        seen.append(await witness.snapshot(board))
    seconds = (seen[-1]["time"] - first["time"]) / 1000
    assert len(seen) <= seconds + 3
    assert {snapshot["version"] for snapshot in seen} == {0}


# -- lives of a board --------------------------------------------------------------------------------------------------


async def test_reset_comes_when_the_board_is_not_the_one_that_was_last_seen(server: Server) -> None:
    client = await server.client()
    await client.publish(BOARD, score("ann", 1))
    seen = await client.look(BOARD)
    assert "reset" not in seen
    again = await client.look(BOARD, since=f"{seen['epoch']}.{seen['version']}")
    assert "reset" not in again
    other = await client.subscribe(BOARD, view={"since": "another-life.7"})
    assert (await client.snapshot(other))["reset"] is True
    await client.publish(BOARD, score("ann", 2))
    assert "reset" not in await client.snapshot(other, version=2), "told once"
    absent = await client.look("/leaderboard/absent", since="another-life.7")
    assert absent["reset"] is True
    assert (absent["epoch"], absent["version"]) == ("", 0)


async def test_an_idle_board_ends_and_begins_again_as_another(start: Start) -> None:
    server = await start(namespaces={"leaderboard": {"idle_ttl": 0.2}})
    client, http = await server.client(), await server.http()
    below = await client.subscribe("/leaderboard/*")
    await client.publish(BOARD, score("ann", 1), score("bob", 2))
    before = await client.snapshot(below, total=2)
    assert before["epoch"]

    async def gone() -> bool:
        return bool((await http.get(f"/api/boards{BOARD}")).json()["epoch"] == "")

    await eventually(gone)
    ended = await client.snapshot(below)
    assert (ended["channel"], ended["epoch"], ended["version"]) == (BOARD, "", 0)
    assert (ended["rows"], ended["total"]) == ([], 0)
    assert ended["reset"] is True
    await client.publish(BOARD, score("cid", 3))
    after = await client.snapshot(below, total=1)
    assert after["epoch"] not in ("", before["epoch"])
    assert after["version"] == 1
    assert players(after) == ["cid"]


async def test_an_idle_board_ends_without_anybody_looking_and_a_watched_one_lives_on(
    start: Start,
) -> None:
    server = await start(namespaces={"leaderboard": {"idle_ttl": 0.05}})
    client = await server.client()
    unwatched = "/leaderboard/unwatched"
    board = await client.subscribe(BOARD)
    below = await client.subscribe("/leaderboard/*")
    await client.publish(BOARD, score("ann", 1))
    await client.publish(unwatched, score("ann", 1))
    await client.snapshot(board, total=1)
    await client.snapshot(below, channel=unwatched, epoch="", reset=True)
    assert (await client.look(BOARD))["total"] == 1


async def test_a_removed_row_is_gone_from_the_next_snapshot(server: Server) -> None:
    client = await server.client(HOST)
    board = await client.subscribe(BOARD)
    await client.publish(BOARD, score("ann", 1), score("bob", 2))
    await client.snapshot(board, total=2)
    await client.publish(BOARD, {"op": "remove", "player": "bob"})
    snapshot = await client.snapshot(board, total=1)
    assert players(snapshot) == ["ann"]
    assert snapshot["version"] == 2


# -- numbers -----------------------------------------------------------------------------------------------------------


NUMBERS = {
    "12": "12",
    "12.0": "12",
    "1e3": "1000",
    "-0.0": "0",
    "0.1": "0.1",
    "9007199254740991": "9007199254740991",
    "-9007199254740991": "-9007199254740991",
    "1e-300": "1e-300",
}


async def test_a_score_is_shown_as_it_was_meant(server: Server) -> None:
    client, http = await server.client(), await server.http()
    for number, (sent, shown) in enumerate(NUMBERS.items()):
        channel = f"/leaderboard/{number}"
        await client.publish(channel, f'{{"player":"ann","score":{sent}}}')
        assert f'"score":{shown}}}' in (await http.get(f"/api/boards{channel}")).text, sent
