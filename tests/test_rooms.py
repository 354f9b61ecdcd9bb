"""Rooms: boards that anyone can open by a button and join by a code, by HTTP alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import httpx
import pytest

from leaderboard.lights import lights_of
from leaderboard.nicknames import nickname
from leaderboard.rooms import ALPHABET, NewRoom, new_room
from leaderboard.suggestions import FIRST, LAST, is_suggested, suggest
from tests.appsync import Client
from tests.conftest import HOST, SCOREKEEPER, Server, Start

Make = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def web(server: Server) -> httpx.AsyncClient:
    return await server.http()


@pytest.fixture
def make(web: httpx.AsyncClient) -> Make:
    """Make a room."""

    async def make(**wanted: Any) -> dict[str, Any]:
        answer = await web.post("/api/rooms", json=wanted)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    return make


async def join(web: httpx.AsyncClient, code: str, **members: Any) -> httpx.Response:
    token = members.pop("token", None)
    headers = {"Authorization": token} if token else {}
    return await web.post(f"/api/rooms/{code}/players", json=members, headers=headers)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["errorType"]


async def test_a_room_is_a_closed_board_with_a_code_and_a_host(
    server: Server, web: httpx.AsyncClient, make: Make
) -> None:
    made = await make(title="Friday", round_ms=20_000, max_players=5, seed=7)
    assert re.fullmatch(f"[{ALPHABET}]{{4}}", made["code"])
    assert made["channel"] == f"/game/{made['code']}"
    assert made["join_url"] == f"{server.url}/j/{made['code']}"
    room = (await web.get(f"/api/rooms/{made['code'].lower()}")).json()
    assert room == {
        "code": made["code"],
        "channel": made["channel"],
        "state": "closed",
        "round": 1,
        "players": 0,
        "game": {
            "seed": 7,
            "round_ms": 20_000,
            "title": "Friday",
            "max_players": 5,
            "generated_names": False,
            "bots": 0,
            "rate": 0,
            "hide_names": False,
            "played": 0,
            "solo": False,
        },
    }
    snapshot = (await web.get(f"/api/boards{made['channel']}")).json()
    assert snapshot["round"]["props"] == room["game"]

    host = await server.client(key=None, token=made["host_token"])
    assert (await host.publish(made["channel"], {"op": "open"}))["type"] == "publish_success"
    other = await make()
    answer = await host.publish(other["channel"], {"op": "open"})
    assert [error["errorType"] for error in answer["errors"]] == ["UnauthorizedException"]


@pytest.mark.parametrize(
    "body",
    [
        '{"round_ms":10}',
        '{"max_players":0}',
        '{"seed":-1}',
        '{"title":7}',
        '{"colour":"red"}',
        "[",
        "[]",
        '{"title":"%s"}' % ("x" * 5000),
    ],
)
async def test_a_room_that_cannot_be_is_refused(web: httpx.AsyncClient, body: str) -> None:
    assert refusal(await web.post("/api/rooms", content=body)) == (400, "BadRequestException")


async def test_who_joins_has_a_row_before_the_round_and_plays_in_it(
    server: Server, web: httpx.AsyncClient, make: Make
) -> None:
    made = await make(seed=7)
    channel = made["channel"]
    ann = (await join(web, made["code"], name="  Ann ")).json()
    assert (ann["name"], ann["channel"], ann["code"]) == ("Ann", channel, made["code"])
    other = (await join(web, made["code"], name="ann")).json()
    assert other["name"] == "ann 2"
    rows = (await web.get(f"/api/boards{channel}")).json()["rows"]
    assert [(row["player"], row["name"], row["score"]) for row in rows] == [
        (ann["player"], "Ann", 0),
        (other["player"], "ann 2", 0),
    ]

    host = await server.client(key=None, token=made["host_token"])
    await host.publish(channel, {"op": "open", "for_ms": 29_000})  # a second of it is over
    player = await server.client(key=None, token=ann["token"])
    lights = lights_of(7, 1, 30_000)
    hits = [{"tile": lights[0], "at": 400}, {"tile": lights[1], "at": 800}]
    answer = await player.publish(
        channel, {"player": ann["player"], "hits": hits, "round": 1}, results=True
    )
    assert answer["results"][0]["score"] == 15


async def test_who_comes_back_keeps_name_and_score(
    server: Server, web: httpx.AsyncClient, make: Make
) -> None:
    made = await make()
    ann = (await join(web, made["code"], name="Ann")).json()
    host = await server.client(key=None, token=made["host_token"])
    score = {"player": ann["player"], "score": 40}
    await host.publish(made["channel"], {"op": "open"}, score)
    back = (await join(web, made["code"], name="Somebody", token=ann["token"])).json()
    assert (back["player"], back["name"]) == (ann["player"], "Ann")
    room = (await web.get(f"/api/rooms/{made['code']}")).json()
    assert room["players"] == 1

    # Who was removed comes back at 0, who was banned does not.
    await host.publish(made["channel"], {"op": "remove", "player": ann["player"]})
    again = (await join(web, made["code"], name="Anna", token=ann["token"])).json()
    assert (again["player"], again["name"]) == (ann["player"], "Anna")
    await host.publish(made["channel"], {"op": "ban", "player": ann["player"]})
    assert refusal(await join(web, made["code"], token=ann["token"])) == (403, "Banned")


async def test_a_token_of_another_room_or_of_nobody_joins_like_a_stranger(
    web: httpx.AsyncClient, make: Make
) -> None:
    one, other = await make(), await make()
    ann = (await join(web, one["code"], name="Ann")).json()
    for token in (ann["token"], "nonsense", one["host_token"], other["host_token"]):
        joined = await join(web, other["code"], name="Ann", token=token)
        assert joined.status_code == 201
        assert joined.json()["player"] != ann["player"]


@pytest.mark.parametrize("code", ["ZZZZ", "kx", "KX7M9", "KX1M", "....", "%20%20"])
async def test_a_code_without_a_room_is_not_found(web: httpx.AsyncClient, code: str) -> None:
    for answer in (
        await web.get(f"/api/rooms/{code}"),
        await web.get(f"/api/rooms/{code}/suggestion"),
        await join(web, code, name="Ann"),
    ):
        assert refusal(answer) == (404, "ResourceNotFound")


async def test_a_board_that_is_no_room_is_none(server: Server, web: httpx.AsyncClient) -> None:
    host = await server.client(HOST)
    await host.publish("/game/KX7M", {"player": "ann", "score": 1})
    assert refusal(await web.get("/api/rooms/KX7M")) == (404, "ResourceNotFound")


async def test_a_room_ends_when_nobody_has_used_it(start: Start) -> None:
    server = await start(namespaces={"game": {"mode": "sum", "idle_ttl": 0.05}})
    web = await server.http()
    code = (await web.post("/api/rooms")).json()["code"]
    await asyncio.sleep(0.1)
    assert refusal(await web.get(f"/api/rooms/{code}")) == (404, "ResourceNotFound")


async def test_a_full_room_takes_nobody_but_those_who_come_back(
    web: httpx.AsyncClient, make: Make
) -> None:
    made = await make(max_players=1)
    ann = (await join(web, made["code"])).json()
    full = await join(web, made["code"])
    assert refusal(full) == (409, "RoomFull")
    assert full.json()["message"] == "This room is full: no more than 1 may play."
    assert (await join(web, made["code"], token=ann["token"])).status_code == 201


async def test_who_was_hidden_and_taken_off_holds_no_place_and_comes_back_by_joining(
    server: Server, web: httpx.AsyncClient, make: Make
) -> None:
    made = await make(max_players=2)
    ann = (await join(web, made["code"], name="Ann")).json()
    host = await server.client(HOST)
    events = [{"op": op, "player": ann["player"]} for op in ("hide", "remove")]
    await host.publish(made["channel"], *events)
    assert (await join(web, made["code"], name="Bob")).status_code == 201
    back = (await join(web, made["code"], token=ann["token"], name="Ann")).json()
    assert (back["player"], back["name"]) == (ann["player"], "Ann")
    assert refusal(await join(web, made["code"], name="Cid")) == (409, "RoomFull")
    await host.publish(made["channel"], {"op": "show", "player": ann["player"]})
    rows = (await web.get(f"/api/boards{made['channel']}")).json()["rows"]
    assert [row["name"] for row in rows] == ["Bob", "Ann"]


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "x" * 21, "fuck", "x" * 999])
async def test_a_name_is_refused_with_the_reason(
    web: httpx.AsyncClient, make: Make, name: str
) -> None:
    answer = await join(web, (await make())["code"], name=name)
    assert refusal(answer) == (422, "NameRefused")
    assert "name" in answer.json()["message"].lower()


async def test_a_hostile_name_is_a_name(web: httpx.AsyncClient, make: Make) -> None:
    answer = await join(web, (await make())["code"], name="<b onclick=x>")
    assert answer.json()["name"] == "<b onclick=x>"


async def test_where_names_are_generated_no_other_is_taken(
    web: httpx.AsyncClient, make: Make
) -> None:
    code = (await make(generated_names=True))["code"]
    assert refusal(await join(web, code, name="Ann")) == (422, "NameRefused")
    suggested = (await web.get(f"/api/rooms/{code}/suggestion")).json()["name"]
    assert (await join(web, code, name=suggested)).json()["name"] == suggested
    assert (await join(web, code, name=suggested)).json()["name"] == f"{suggested} 2"
    given = (await join(web, code)).json()["name"]
    assert is_suggested(given)


def test_suggestions_are_decent_short_and_free() -> None:
    for first in FIRST:
        assert nickname(f"{first} {LAST[0]}") == f"{first} {LAST[0]}"
    for last in LAST:
        assert nickname(f"{max(FIRST, key=len)} {last}") == f"{max(FIRST, key=len)} {last}"
    assert len(set(FIRST)) * len(set(LAST)) == len(FIRST) * len(LAST) > 5000
    taken = {"early turtle"}
    assert suggest(Random(1)) == suggest(Random(1)) == "Early Turtle" != suggest(Random(1), taken)


async def test_rooms_have_a_ceiling(start: Start) -> None:
    server = await start(limits={"rooms": 2})
    web = await server.http()
    answers = [await web.post("/api/rooms") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert "2 rooms" in answers[2].json()["message"]


async def test_one_address_has_a_ceiling_above_a_classroom(start: Start) -> None:
    server = await start(limits={"joins_per_second": 5})
    web = await server.http()
    code = (await web.post("/api/rooms")).json()["code"]
    answers = await asyncio.gather(*(join(web, code) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201, 429}


async def test_a_hundred_players_join_from_one_address_at_once(server: Server) -> None:
    web = await server.http()
    code, _ = await new_room(server.app.state.operations, server.settings, NewRoom())

    async def take_part() -> tuple[str, Client, str]:
        joined = await join(web, code, name="Ann")
        assert joined.status_code == 201, joined.text
        client = await server.client(key=None, token=joined.json()["token"])
        return joined.json()["name"], client, await client.subscribe(f"/game/{code}")

    all_of_them = await asyncio.gather(*(take_part() for _ in range(100)))
    assert len({name for name, _, _ in all_of_them}) == 100
    for _, client, id_ in all_of_them:
        await client.until(id_, lambda seen: seen["watching"] == seen["total"] == 100)


async def test_where_hosts_alone_make_rooms_nobody_else_does(start: Start) -> None:
    server = await start(rooms="host")
    for key, status in ((None, 401), (SCOREKEEPER, 401), (HOST, 201)):
        assert (await (await server.http(key)).post("/api/rooms")).status_code == status


async def test_a_server_without_the_game_has_no_rooms(start: Start) -> None:
    web = await (await start(namespaces={"other": {}})).http()
    for answer in (await web.post("/api/rooms"), await web.get("/api/rooms/KX7M")):
        assert refusal(answer) == (404, "ResourceNotFound")
