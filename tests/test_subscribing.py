"""Subscriptions: their ids, their ends, wildcards, and what comes first."""

from __future__ import annotations

import json

import pytest

from tests.appsync import error_types, players
from tests.conftest import ADMIN, Server, Start

BOARD = "/leaderboard/arcade"
ANN = {"player": "ann", "score": 12}
BOB = {"player": "bob", "score": 7}


async def test_the_success_comes_first_and_the_present_snapshot_right_behind_it(
    server: Server,
) -> None:
    client = await server.client()
    await client.publish(BOARD, ANN)
    await client.send(type="subscribe", id="a", channel=BOARD, authorization=client.authorization)
    assert await client.receive() == {"type": "subscribe_success", "id": "a"}
    data = await client.receive()
    assert {**data, "event": None} == {"type": "data", "id": "a", "event": None}
    assert isinstance(data["event"], str), "a string, not an array: Android and Swift decode one"
    snapshot = json.loads(data["event"])
    assert snapshot["type"] == "snapshot"
    assert snapshot["channel"] == BOARD
    assert snapshot["version"] == snapshot["total"] == 1
    assert snapshot["round"] == {"number": 1, "state": "open", "frozen": False, "props": {}}
    assert snapshot["rows"] == [{"rank": 1, "position": 1, **ANN}]


async def test_the_success_comes_first_even_while_the_board_moves(server: Server) -> None:
    client, publisher = await server.client(), await server.client()
    publications = [
        publisher.publication(BOARD, {"player": f"p{n}", "score": n}) for n in range(20)
    ]
    for number, publication in enumerate(publications):
        await publisher.send(**publication)
        await client.send(
            type="subscribe", id=f"s{number}", channel=BOARD, authorization=client.authorization
        )
    first: dict[str, str] = {}
    while len([kind for kind in first.values() if kind == "subscribe_success"]) < 20:
        frame = await client.receive()
        first.setdefault(frame["id"], frame["type"])
    assert set(first.values()) == {"subscribe_success"}


async def test_subscribing_creates_no_board(server: Server) -> None:
    client = await server.client()
    board = await client.subscribe(BOARD)
    snapshot = await client.snapshot(board)
    assert (snapshot["epoch"], snapshot["version"], snapshot["rows"]) == ("", 0, [])
    http = await server.http()
    assert (await http.get("/api/boards")).json()["boards"] == []


@pytest.mark.parametrize("spelling", ["leaderboard/arcade", BOARD, "/leaderboard/arcade/"])
async def test_all_spellings_of_a_path_are_one_channel(server: Server, spelling: str) -> None:
    client = await server.client()
    board = await client.subscribe(spelling)
    await client.publish("leaderboard/arcade/", ANN)
    assert (await client.snapshot(board, total=1))["channel"] == BOARD


async def test_paths_are_case_sensitive(server: Server) -> None:
    client = await server.client()
    await client.publish(BOARD, ANN)
    assert (await client.look("/leaderboard/Arcade"))["total"] == 0


# -- ids ---------------------------------------------------------------------------------------------------------------


async def test_each_subscription_of_a_connection_gets_its_own_copy(server: Server) -> None:
    client = await server.client()
    ids = [await client.subscribe(BOARD) for _ in range(3)]
    await client.publish(BOARD, ANN)
    for id_ in ids:
        await client.snapshot(id_, total=1)


async def test_an_id_may_be_used_again_after_unsubscribe(server: Server) -> None:
    client = await server.client()
    await client.publish(BOARD, ANN)
    for _ in range(3):
        await client.subscribe(BOARD, id="same")
        await client.snapshot("same", total=1)
        await client.unsubscribe("same")


async def test_the_same_id_on_two_connections_names_two_subscriptions(server: Server) -> None:
    first, second = await server.client(), await server.client()
    for client in (first, second):
        await client.subscribe(BOARD, id="same")
    await first.publish(BOARD, ANN)
    await first.snapshot("same", total=1)
    await second.snapshot("same", total=1)
    await first.unsubscribe("same")
    await first.publish(BOARD, BOB)
    await second.snapshot("same", total=2)


async def test_after_unsubscribe_nothing_more_comes(server: Server) -> None:
    client = await server.client()
    gone, kept = await client.subscribe(BOARD), await client.subscribe(BOARD)
    await client.snapshot(gone)
    await client.unsubscribe(gone)
    client.frames.clear()
    for score in range(1, 6):
        await client.publish(BOARD, {"player": "ann", "score": score})
        await client.snapshot(kept, version=score)
    assert [frame for frame in client.frames if frame["id"] == gone] == []


async def test_unsubscribing_is_not_authorised(server: Server) -> None:
    # the protocol's message has no authorization
    client = await server.client()
    await client.unsubscribe(await client.subscribe(BOARD))


async def test_unsubscribing_an_unknown_id_is_an_error_of_that_id(server: Server) -> None:
    client = await server.client()
    for _ in range(2):
        answer = await client.ask(type="unsubscribe", id="nothing")
        assert answer == {
            "type": "unsubscribe_error",
            "id": "nothing",
            "errors": [
                {
                    "errorType": "UnknownOperationError",
                    "message": "Unknown operation id nothing",
                }
            ],
        }


async def test_a_publish_may_have_the_id_of_a_subscription(server: Server) -> None:
    client = await server.client()
    await client.subscribe(BOARD, id="x")
    assert (await client.publish(BOARD, ANN, id="x"))["type"] == "publish_success"
    await client.snapshot("x", total=1)


# -- wildcards ---------------------------------------------------------------------------------------------------------


async def test_a_wildcard_shows_boards_at_any_depth_and_not_the_path_itself(server: Server) -> None:
    client = await server.client()
    below = await client.subscribe("/leaderboard/a/*")
    for channel in (
        "/leaderboard/a",
        "/leaderboard/ab/x",
        "/leaderboard/b",
        "/leaderboard/a/1",
        "/leaderboard/a/1/2/3",
    ):
        await client.publish(channel, ANN)
    seen = {(await client.snapshot(below))["channel"] for _ in range(2)}
    assert seen == {"/leaderboard/a/1", "/leaderboard/a/1/2/3"}
    # what is published last would come last, so nothing else has been sent
    await client.publish("/leaderboard/a/last", ANN)
    assert (await client.snapshot(below))["channel"] == "/leaderboard/a/last"
    assert client.frames == []


async def test_a_wildcard_starts_with_a_snapshot_of_every_running_board(start: Start) -> None:
    server = await start(limits={"publishes_per_second": 0})
    client = await server.client()
    # more than the server finds at a time
    channels = {f"/leaderboard/rooms/{number}" for number in range(1200)}
    await client.publish_all(client.publication(channel, ANN) for channel in channels)
    await client.publish("/leaderboard/elsewhere", BOB)
    rooms = await client.subscribe("/leaderboard/rooms/*")
    seen = [await client.snapshot(rooms) for _ in channels]
    assert {snapshot["channel"] for snapshot in seen} == channels
    assert all(players(snapshot) == ["ann"] for snapshot in seen)


async def test_a_wildcard_has_the_view_that_was_asked_for(server: Server) -> None:
    client = await server.client()
    top = await client.subscribe("/leaderboard/*", view={"top": 1})
    await client.publish(BOARD, ANN, BOB)
    snapshot = await client.snapshot(top, total=2)
    assert players(snapshot) == ["ann"]


async def test_a_wildcard_and_a_path_do_not_disturb_each_other(server: Server) -> None:
    client = await server.client()
    exact = await client.subscribe(BOARD)
    below = await client.subscribe("/leaderboard/*")
    deeper = await client.subscribe("/leaderboard/arcade/*")
    await client.publish(BOARD, ANN)
    await client.snapshot(exact, total=1)
    await client.snapshot(below, total=1)
    await client.publish(f"{BOARD}/2", ANN)
    assert (await client.snapshot(deeper))["channel"] == f"{BOARD}/2"


async def test_those_who_watch_by_wildcard_are_not_counted_as_watching(server: Server) -> None:
    client = await server.client()
    below = await client.subscribe("/leaderboard/*")
    await client.publish(BOARD, ANN)
    assert (await client.snapshot(below))["watching"] == 0


async def test_a_wildcard_needs_a_grant_that_covers_all_of_it(start: Start) -> None:
    keys = [
        {"key": "da2-one-board", "role": "viewer", "channels": ["/leaderboard/a/b"]},
        {"key": "da2-below-a", "role": "viewer", "channels": ["/leaderboard/a/*"]},
        {"key": "da2-two-patterns", "role": "viewer", "channels": ["/leaderboard/*", "/game/x"]},
        {"key": ADMIN, "role": "admin"},
    ]
    server = await start(api_keys=keys)
    allowed = {
        "da2-one-board": {"/leaderboard/a/b"},
        "da2-below-a": {"/leaderboard/a/b", "/leaderboard/a/*", "/leaderboard/a/b/*"},
        "da2-two-patterns": {
            "/leaderboard/*",
            "/leaderboard/a/*",
            "/leaderboard/a/b/*",
            "/leaderboard/a/b",
            "/leaderboard/a",
            "/game/x",
        },
        ADMIN: {
            "/leaderboard/*",
            "/leaderboard/a/*",
            "/leaderboard/a/b/*",
            "/leaderboard/a/b",
            "/leaderboard/a",
            "/game/x",
            "/game/*",
        },
    }
    for key, channels in allowed.items():
        client = await server.client(key)
        for channel in allowed[ADMIN]:
            answer = await client.subscribing(channel)
            if channel in channels:
                assert answer["type"] == "subscribe_success", (key, channel)
            else:
                assert answer["type"] == "subscribe_error", (key, channel)
                assert error_types(answer) == ["UnauthorizedException"]


# -- coming back -------------------------------------------------------------------------------------------------------


async def test_a_client_that_comes_back_uses_its_ids_again_and_has_missed_nothing(
    server: Server,
) -> None:
    publisher = await server.client()
    before = await server.client()
    await before.subscribe(BOARD, id="mine")
    await publisher.publish(BOARD, ANN)
    seen = await before.snapshot("mine", total=1)
    before.socket.transport.abort()  # no close, as when a phone loses its network
    await publisher.publish(BOARD, BOB)
    after = await server.client()
    await after.subscribe(BOARD, id="mine", view={"since": f"{seen['epoch']}.{seen['version']}"})
    snapshot = await after.snapshot("mine")
    assert players(snapshot) == ["ann", "bob"]
    assert "reset" not in snapshot


async def test_after_a_restart_clients_come_back_with_the_same_ids_to_a_new_board(
    start: Start,
) -> None:
    first = await start()
    before = await first.client()
    await before.subscribe(BOARD, id="mine")
    await before.publish(BOARD, {"player": "ann", "score": 1})
    seen = await before.snapshot("mine", total=1)
    await first.stop()
    assert await before.closed() == 1012

    second = await start(port=first.port)
    after = await second.client()
    since = f"{seen['epoch']}.{seen['version']}"
    await after.subscribe(BOARD, id="mine", view={"since": since})
    empty = await after.snapshot("mine")
    assert (empty["epoch"], empty["rows"], empty["reset"]) == ("", [], True)
    await after.publish(BOARD, {"player": "bob", "score": 1})
    anew = await after.snapshot("mine", total=1)
    assert anew["epoch"] not in ("", seen["epoch"])
    assert anew["version"] == 1
    assert anew["reset"] is True, "the last board that this client saw was another one"
    assert players(anew) == ["bob"]
    await after.publish(BOARD, {"player": "bob", "score": 2})
    assert "reset" not in await after.snapshot("mine", version=2)
