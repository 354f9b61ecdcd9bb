"""The QR codes that lead into a room, and take a seat of it to another device: for whom, and what they say."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import jwt
import pytest
import zxingcpp

from leaderboard import addresses
from tests.conftest import ADMIN, HOST, Server, Start


async def seat(server: Server) -> tuple[dict[str, Any], dict[str, Any]]:
    """A room, and somebody who has joined it."""
    web = await server.http()
    room = (await web.post("/api/rooms")).json()
    return room, (await web.post(f"/api/rooms/{room['code']}/players", json={"name": "Ann"})).json()


async def code_of(server: Server, code: str, **headers: str) -> httpx.Response:
    return await (await server.http()).post(f"/ui/seat/{code}", headers=headers)


def said(svg: str) -> str:
    """What a QR code says: its path is one line of squares after the other, and here it is as pixels."""
    size = int(re.findall(r'viewBox="0 0 (\d+)', svg)[0])
    dark: set[tuple[int, int]] = set()
    x, y = 0, 0
    for letter, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?:[ ,]?(-?[\d.]+))?", svg):
        if letter == "h":
            dark |= {(x + step, y) for step in range(int(first))}
            x += int(first)
        elif letter == "M":
            x, y = int(first), int(float(second))
        else:
            x, y = x + int(first), y + int(second or 0)
    side = range(4 * size)
    pixels = bytes(0 if (x // 4, y // 4) in dark else 255 for y in side for x in side)
    picture = memoryview(pixels).cast("B", shape=[4 * size, 4 * size])
    # Squares at random can look like a bar code of another kind.
    (found,) = zxingcpp.read_barcodes(picture, formats=zxingcpp.barcode_formats_from_str("QRCode"))
    return str(found.text)


async def test_the_code_of_a_room_is_where_others_join_it(start: Start) -> None:
    server = await start(public_url="https://scores.example")
    room, _ = await seat(server)
    web = await server.http()
    answer = await web.get(f"/qr/{room['code'].lower()}.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert said(answer.text) == f"https://scores.example/j/{room['code']}"
    assert (await web.get("/qr/ZZZZ.svg")).status_code == 404


async def test_a_server_that_nobody_else_can_reach_has_no_code_to_join_by(server: Server) -> None:
    room, _ = await seat(server)
    web = await server.http()
    answer = await web.get(f"/qr/{room['code']}.svg", headers={"host": f"127.0.0.1:{server.port}"})
    assert answer.status_code == 404
    assert "--host 0.0.0.0" in answer.json()["message"]


async def test_the_code_is_a_link_to_the_same_seat_and_nobody_keeps_it(start: Start) -> None:
    server = await start(public_url="https://scores.example")
    room, ann = await seat(server)
    answer = await code_of(server, room["code"].lower(), authorization=f"Bearer {ann['token']}")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cache-control"] == "no-store"
    link, _, token = said(answer.text).partition("#seat=")
    assert link == f"https://scores.example/r/{room['code']}"
    web = await server.http(token=token)
    back = (await web.post(f"/api/rooms/{room['code']}/players")).json()
    assert (back["player"], back["name"]) == (ann["player"], "Ann")
    # It is a token of its own, and ends no later than the one that asked for it.
    old, new = (
        jwt.decode(each, options={"verify_signature": False}) for each in (ann["token"], token)
    )
    assert old["jti"] != new["jti"]
    assert new["exp"] <= old["exp"]
    assert (new["role"], new["channel"]) == ("player", room["channel"])


async def test_a_copy_of_a_seat_ends_with_the_seat_that_it_was_made_from_and_not_the_other_way_round(
    start: Start,
) -> None:
    server = await start(public_url="https://scores.example")
    room, ann = await seat(server)

    async def copy_of(token: str) -> str:
        return said((await code_of(server, room["code"], authorization=token)).text).partition(
            "#seat="
        )[2]

    async def takes(token: str) -> bool:
        web = await server.http(token=token)
        joined = (await web.post(f"/api/rooms/{room['code']}/players")).json()
        return bool(joined["player"] == ann["player"])

    async def revoke(token: str) -> None:
        name = jwt.decode(token, options={"verify_signature": False})["jti"]
        assert (await (await server.http(ADMIN)).delete(f"/api/tokens/{name}")).status_code == 204

    first = ann["token"]
    second = await copy_of(first)
    third, lost = await copy_of(second), await copy_of(first)
    playing = await server.client(None, token=third)
    await revoke(lost)
    assert [await takes(each) for each in (first, second, third, lost)] == [True, True, True, False]
    await revoke(first)
    assert await playing.closed() == 1000
    assert [await takes(each) for each in (first, second, third)] == [False] * 3


async def test_who_comes_back_by_a_seat_has_that_seat_and_no_other(server: Server) -> None:
    room, ann = await seat(server)
    short, _ = server.app.state.auth.issue("player", room["channel"], ann["player"], 60, 3)
    web = await server.http(token=short)
    back = (await web.post(f"/api/rooms/{room['code']}/players")).json()
    # A token that lasts longer or may do more would be one that nobody gave out.
    assert (back["player"], back["token"]) == (ann["player"], short)


@pytest.mark.parametrize("who", ["nobody", "host of the room", "host of all", "another room's"])
async def test_it_is_drawn_for_those_who_sit_there_alone(server: Server, who: str) -> None:
    room, _ = await seat(server)
    _, other = await seat(server)
    credentials = {
        "nobody": {},
        "host of the room": {"authorization": room["host_token"]},
        "host of all": {"x-api-key": HOST},
        "another room's": {"authorization": other["token"]},
    }
    answer = await code_of(server, room["code"], **credentials[who])
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["errorType"] == "UnauthorizedException"


async def test_a_room_that_is_gone_has_no_seats(server: Server) -> None:
    _, ann = await seat(server)
    assert (await code_of(server, "ZZZZ", authorization=ann["token"])).status_code == 404


async def test_a_server_that_nobody_else_can_reach_draws_nothing(server: Server) -> None:
    room, ann = await seat(server)
    for host in (f"127.0.0.1:{server.port}", f"localhost:{server.port}", "[::1]:80"):
        answer = await code_of(server, room["code"], authorization=ann["token"], host=host)
        assert answer.status_code == 404
        assert "--host 0.0.0.0" in answer.json()["message"]


async def test_the_address_is_one_that_others_know(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "lan_address", lambda: "192.0.2.7")
    server = await start(host="0.0.0.0")  # as far as the settings go
    room, ann = await seat(server)
    for host, address in (
        (f"127.0.0.1:{server.port}", f"http://192.0.2.7:{server.port}"),
        ("192.0.2.9:8000", "http://192.0.2.9:8000"),
        ("scores.test", "http://scores.test"),
    ):
        answer = await code_of(server, room["code"], authorization=ann["token"], host=host)
        assert said(answer.text).startswith(f"{address}/r/{room['code']}#seat=")


async def test_who_asks_without_end_is_slowed_down(start: Start) -> None:
    server = await start(public_url="https://scores.example", limits={"joins_per_second": 5})
    room, ann = await seat(server)
    asked = (code_of(server, room["code"], authorization=ann["token"]) for _ in range(20))
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {200, 429}
