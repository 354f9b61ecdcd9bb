"""Who is there: connections that watch a board, and entries that were active in the last minute."""

from __future__ import annotations

import pytest

from tests.appsync import Client, Snapshot
from tests.conftest import SCOREKEEPER, VIEWER, Server
from tests.hosting import Deciding, op, score

BOARD = "/leaderboard/arcade"


class Clock:
    """The engine's clock, which a test may put forward."""

    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        engine = server.app.state.broker._engine
        real = engine._clock
        self.ahead = 0.0
        monkeypatch.setattr(engine, "_clock", lambda: real() + self.ahead)


async def playing(client: Client, channel: str = BOARD) -> int:
    """How many play, as a new subscriber is told."""
    return int((await client.look(channel))["playing"])


async def test_every_snapshot_says_how_many_watch_and_play(server: Server) -> None:
    keeper, http = await server.client(SCOREKEEPER), await server.http()
    watcher, below = await server.client(VIEWER), await server.client(VIEWER)
    subscription = await watcher.subscribe(BOARD)
    wildcard = await below.subscribe("/leaderboard/*")
    await keeper.publish(BOARD, score("ann", 1), score("bob", 1), score("ann", 2))

    def tells(snapshot: Snapshot) -> bool:
        return (snapshot["watching"], snapshot["playing"]) == (1, 2)

    await watcher.until(subscription, tells)
    await below.until(wildcard, tells)
    assert tells((await http.get(f"/api/boards{BOARD}")).json())


async def test_who_watches_is_counted_by_connections_that_subscribe_to_exactly_this_board(
    server: Server,
) -> None:
    keeper = await server.client(SCOREKEEPER)
    await keeper.publish(BOARD, score("ann", 1))
    one, other = await server.client(VIEWER), await server.client(VIEWER)
    first = await one.subscribe(BOARD)
    await one.subscribe(BOARD, view={"around": "ann"})
    await one.subscribe("/leaderboard/*")
    await other.subscribe("/leaderboard/other")
    second = await other.subscribe(BOARD)
    await one.until(first, lambda each: each["watching"] == 2)
    await other.unsubscribe(second)
    await one.until(first, lambda each: each["watching"] == 1)


async def test_who_plays_is_counted_whether_or_not_it_gets_better_and_until_it_is_gone(
    server: Server,
) -> None:
    keeper, host = await server.client(SCOREKEEPER), Deciding(server, BOARD)
    await keeper.publish(BOARD, *(score(player, 5) for player in ("ann", "bob", "cid", "dee")))
    assert await playing(keeper) == 4
    await host.done(op("hide", player="ann"))
    assert await playing(keeper) == 4, "who is hidden goes on playing"
    await host.done(op("remove", player="bob"), op("ban", player="cid"))
    assert await playing(keeper) == 2
    await keeper.publish(BOARD, score("cid", 9))
    assert await playing(keeper) == 2, "who is banned does not"
    await host.done(op("clear"))
    assert await playing(keeper) == 0


async def test_who_stops_playing_is_counted_for_a_minute(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, http = Clock(server, monkeypatch), await server.http()
    keeper = await server.client(SCOREKEEPER)

    async def told() -> int:
        return int((await http.get(f"/api/boards{BOARD}")).json()["playing"])

    await keeper.publish(BOARD, score("ann", 5), score("bob", 5))
    clock.ahead += 50
    assert await told() == 2
    await keeper.publish(BOARD, score("ann", 4))
    clock.ahead += 15
    assert await told() == 1
    clock.ahead += 50
    assert await told() == 0


async def test_those_who_watch_a_quiet_board_are_told_that_nobody_plays_any_more(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.fanout.PLAYING_PACE", 0.05)
    clock, keeper = Clock(server, monkeypatch), await server.client(SCOREKEEPER)
    watcher = await server.client(VIEWER)
    exact = await watcher.subscribe(BOARD)
    await keeper.publish(BOARD, score("ann", 5), score("bob", 5))
    before = await watcher.until(exact, lambda each: each["playing"] == 2)
    clock.ahead += 61
    after = await watcher.until(exact, lambda each: each["playing"] == 0)
    assert await playing(keeper) == 0, "nor is a newcomer told otherwise"
    same = ("epoch", "version", "round", "total", "rows")
    assert [after[member] for member in same] == [before[member] for member in same]
