"""People: whom a host hides, bans, takes off the board and puts back, and how it finds them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.appsync import Client, error_types, players
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, Start
from tests.hosting import Deciding, by_either_way, op, refusals, score

BOARD = "/leaderboard/arcade"
API = f"/api/boards{BOARD}"
PLAYERS = f"/api/players{BOARD}"


@pytest.fixture
async def keeper(server: Server) -> Client:
    """Cid leads before bob and ann."""
    keeper = await server.client(SCOREKEEPER)
    people = [score(id_, place, name=name) for place, (id_, name) in enumerate(NAMES.items(), 1)]
    await keeper.publish(BOARD, *people)
    return keeper


NAMES = {"p-ann": "Ann", "p-bob": "Bob", "p-cid": "Ännchen 🦊"}


# -- hidden ------------------------------------------------------------------------------------------------------------


@by_either_way
async def test_a_hidden_player_is_seen_by_nobody_and_goes_on_scoring(
    server: Server, keeper: Client, way: str
) -> None:
    host, watcher, http = (
        Deciding(server, BOARD, way),
        await server.client(VIEWER),
        await server.http(),
    )
    exact, below = await watcher.subscribe(BOARD), await watcher.subscribe("/leaderboard/*")
    for subscription in (exact, below):
        await watcher.snapshot(subscription, total=3)
    await host.done(op("hide", player="p-cid"))
    for subscription in (exact, below):
        snapshot = await watcher.snapshot(subscription, total=2)
        assert players(snapshot) == ["p-bob", "p-ann"]
        assert [row["rank"] for row in snapshot["rows"]] == [1, 2]
    answer = await keeper.publish(BOARD, score("p-cid", 50), results=True)
    assert answer["results"] == [{"player": "p-cid", "score": 50, "rank": None, "version": 3}]
    of = await watcher.look(BOARD, of=["p-cid", "p-ann"], around="p-cid", top=10)
    assert (players({"rows": of["of"]}), of["around"], of["total"]) == (["p-ann"], [], 2)
    for path in (API, f"{API}?around=p-cid", f"{API}.csv", f"{API}.jsonl", f"/l{BOARD}", "/l"):
        assert "p-cid" not in (await http.get(path)).text.replace("around=p-cid", "")
        assert "Ännchen" not in (await http.get(path)).text
    assert (await http.get("/api/boards")).json()["boards"][0]["total"] == 2
    live = await (await server.client(HOST)).look(BOARD, live=True)
    assert players(live) == ["p-bob", "p-ann"], "it is on no board at all"
    await host.done(op("show", player="p-cid"))
    shown = await watcher.snapshot(exact, total=3)
    assert shown["rows"][0]["score"] == 50, "with what it scored meanwhile"


async def test_raw_events_of_a_hidden_player_are_for_hosts(start: Start) -> None:
    server = await start(namespaces={"leaderboard": {"events": True}})
    watcher, admin = await server.client(VIEWER), await server.client(ADMIN)
    raw = {client: await client.subscribe(BOARD, view="events") for client in (watcher, admin)}
    await Deciding(server, BOARD).done(op("hide", player="ann"))
    keeper = await server.client(SCOREKEEPER)
    await keeper.publish(BOARD, score("ann", 1), score("bob", 2), score("ann", 3))
    assert await watcher.event(raw[watcher]) == score("bob", 2)
    heard = [await admin.event(raw[admin]) for _ in range(3)]
    assert heard == [score("ann", 1), score("bob", 2), score("ann", 3)]


async def test_a_player_can_be_hidden_before_it_comes_and_in_every_round(server: Server) -> None:
    host, keeper = Deciding(server, BOARD), await server.client(SCOREKEEPER)
    await host.done(op("hide", player="ann"))
    for _ in range(2):
        await keeper.publish(BOARD, score("ann", 9), score("bob", 1))
        assert players(await keeper.look(BOARD)) == ["bob"]
        await host.done(op("clear"))
    past = (await (await server.http()).get(f"{API}?round=1")).json()
    assert (players(past), past["total"]) == (["bob"], 1)


# -- banned ------------------------------------------------------------------------------------------------------------


@by_either_way
async def test_a_banned_player_is_gone_and_told_so_until_it_is_let_back(
    server: Server, keeper: Client, way: str
) -> None:
    host = Deciding(server, BOARD, way)
    await host.done(op("ban", player="p-cid"))
    assert players(await keeper.look(BOARD)) == ["p-bob", "p-ann"]
    answer = await keeper.publish(BOARD, score("p-cid", 99), score("p-ann", 5))
    [failed] = answer["failed"]
    assert (failed["index"], failed["code"], failed["errorType"]) == (0, 403, "Banned")
    assert failed["message"] == "this player was taken off the board by its host"
    alone = await keeper.publish(BOARD, score("p-cid", 99))
    assert (alone["type"], error_types(alone)) == ("publish_error", ["Banned"])
    await host.done(op("clear"))
    assert refusals(await keeper.publish(BOARD, score("p-cid", 1))) == ["Banned"], "in any round"
    await host.done(op("unban", player="p-cid"))
    assert refusals(await keeper.publish(BOARD, score("p-cid", 1))) == []
    assert (await keeper.look(BOARD))["rows"][0]["score"] == 1, "from nothing"


async def test_a_ban_holds_on_its_board_alone(server: Server, keeper: Client) -> None:
    await Deciding(server, BOARD).done(op("ban", player="p-ann"))
    assert refusals(await keeper.publish("/leaderboard/other", score("p-ann", 1))) == []


async def test_what_a_player_was_acknowledged_before_its_ban_is_acknowledged_again(
    server: Server, keeper: Client
) -> None:
    sent = score("p-ann", 7, by="phone", n=1)
    await keeper.publish(BOARD, sent)
    await Deciding(server, BOARD).done(op("ban", player="p-ann"))
    answer = await keeper.publish(BOARD, sent)
    assert [each.get("duplicate") for each in answer["successful"]] == [True]
    assert "p-ann" not in players(await keeper.look(BOARD))


# -- undone ------------------------------------------------------------------------------------------------------------


@by_either_way
@pytest.mark.parametrize("taking", ["remove", "ban"])
async def test_the_last_removal_is_taken_back_and_the_row_stands_where_it_stood(
    server: Server, keeper: Client, way: str, taking: str
) -> None:
    host = Deciding(server, BOARD, way)
    await keeper.publish(BOARD, score("p-tie", 2))  # as many as bob, later
    before = (await keeper.look(BOARD))["rows"]
    await host.done(op(taking, player="p-bob"))
    assert players(await keeper.look(BOARD)) == ["p-cid", "p-tie", "p-ann"]
    await host.done(op("undo"))
    assert (await keeper.look(BOARD))["rows"] == before
    assert refusals(await keeper.publish(BOARD, score("p-bob", 9))) == []
    assert await host.refused(op("undo")) == ["NothingToUndo"]


async def test_undo_where_there_is_nothing_to_undo_says_why(server: Server, keeper: Client) -> None:
    host = Deciding(server, BOARD)

    async def why() -> str:
        [answer] = await host.answers(op("undo"))
        assert refusals(answer) == ["NothingToUndo"]
        return str(answer["errors"][0]["message"])

    assert await why() == "nobody was removed in this round"
    await host.done(op("remove", player="p-ann"))
    await keeper.publish(BOARD, score("p-ann", 8))
    assert await why() == "'p-ann' is on the board again"
    assert await why() == "nobody was removed in this round"
    await host.done(op("remove", player="p-ann"), op("clear"))
    assert await why() == "nobody was removed in this round"


async def test_undo_finds_no_room_on_a_board_that_is_full_again(start: Start) -> None:
    server = await start(namespaces={"leaderboard": {"max_entries": 2}})
    host = Deciding(server, BOARD)
    await host.done(score("ann", 1), score("bob", 2), op("remove", player="ann"), score("cid", 3))
    assert await host.refused(op("undo")) == ["BoardFull"]
    await host.done(op("remove", player="cid"))
    await host.done(op("undo"), op("remove", player="cid"), op("undo"))
    assert players(await (await server.client(HOST)).look(BOARD)) == ["cid", "bob"]


# -- found -------------------------------------------------------------------------------------------------------------


async def find(server: Server, prefix: str = "", key: str = HOST, **query: Any) -> Any:
    http = await server.http(key)
    answer = await http.get(PLAYERS, params={"prefix": prefix, **query})
    assert answer.headers["cache-control"] == "no-cache"
    return answer.json()["players"] if answer.is_success else answer


async def test_a_host_finds_players_by_how_a_name_or_an_id_begins(
    server: Server, keeper: Client
) -> None:
    assert [each["player"] for each in await find(server)] == list(NAMES)
    for prefix, expected in [
        ("A", ["p-ann"]),
        ("aNN", ["p-ann"]),
        ("ä", ["p-cid"]),
        ("Ännchen 🦊", ["p-cid"]),
        ("P-", list(NAMES)),
        ("nn", []),
        ("%", []),
    ]:
        assert [each["player"] for each in await find(server, prefix)] == expected
    assert [each["player"] for each in await find(server, "p-", limit=2)] == ["p-ann", "p-bob"]


async def test_a_host_sees_what_was_decided_of_each(server: Server, keeper: Client) -> None:
    await Deciding(server, BOARD).done(
        op("hide", player="p-ann"), op("ban", player="p-bob"), op("freeze"), score("p-cid", 9)
    )
    ann, cid, bob = await find(server)
    assert ann == {
        "player": "p-ann",
        "name": "Ann",
        "row": None,
        "hidden": True,
        "banned": False,
        "away": False,
    }
    assert bob == {**ann, "player": "p-bob", "name": "Bob", "hidden": False} | {
        "banned": True,
        "away": True,
    }
    assert cid["row"] == {
        "rank": 1,
        "position": 1,
        "player": "p-cid",
        "name": "Ännchen 🦊",
        "score": 9,
        "percentile": 0,
    }


@pytest.mark.parametrize("key", [VIEWER, SCOREKEEPER], ids=["viewer", "scorekeeper"])
async def test_nobody_else_searches(server: Server, keeper: Client, key: str) -> None:
    answer = await find(server, key=key)
    assert (answer.status_code, error_types(answer.json())) == (401, ["UnauthorizedException"])
    public = await (await server.http()).get(PLAYERS)
    assert public.status_code in (401, 404)
    assert not [name for name in NAMES if name in public.text + answer.text]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", f"prefix={'x' * 129}"], ids=str
)
async def test_a_search_that_makes_no_sense_is_refused(server: Server, query: str) -> None:
    answer = await (await server.http(HOST)).get(f"{PLAYERS}?{query[:140]}")
    assert (answer.status_code, error_types(answer.json())) == (400, ["BadRequestException"])
    assert json.loads(answer.text)["message"].startswith(query.partition("=")[0])


async def test_there_are_no_players_where_there_is_no_board(server: Server) -> None:
    http = await server.http(HOST)
    assert (await http.get("/api/players/leaderboard/absent")).json() == {"players": []}
    for path, status in [("/default/chat", 404), ("/nowhere/x", 401), ("/leaderboard/*", 400)]:
        assert (await http.get(f"/api/players{path}")).status_code == status


async def test_a_board_may_be_called_players(server: Server) -> None:
    keeper = await server.client(SCOREKEEPER)
    await keeper.publish("/leaderboard/players", json.dumps({"player": "ann", "score": 1}))
    answer = await (await server.http()).get("/api/boards/leaderboard/players")
    assert [row["player"] for row in answer.json()["rows"]] == ["ann"]
