"""What is full refuses what is new, keeps what it has, and says so."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, suppress

import pytest
import websockets

from tests.appsync import NAME, Client, Frame, connect, error_types, eventually
from tests.conftest import ADMIN, VIEWER, Server, Start
from tests.witness import BOARD, first_error, nobody_else_notices


async def test_a_full_board_refuses_new_players_and_keeps_all_it_has(start: Start) -> None:
    small = {"leaderboard": {"max_entries": 2}}
    server = await start(namespaces=small)
    async with nobody_else_notices(server) as client:
        full = "/leaderboard/full"
        await client.publish(full, {"player": "a", "score": 1}, {"player": "b", "score": 2})
        answer = await client.publish(
            full, {"player": "c", "score": 99}, {"player": "a", "score": 3}
        )
        assert [item["errorType"] for item in answer["failed"]] == ["BoardFull"]
        rows = (await client.look(full))["rows"]
        assert [(row["player"], row["score"]) for row in rows] == [("a", 3), ("b", 2)]


async def test_a_full_server_refuses_new_entries_on_any_board(start: Start) -> None:
    server = await start(limits={"entries": 2})
    async with nobody_else_notices(server) as client:
        await client.publish("/leaderboard/b", {"player": "b", "score": 1})
        answer = await client.publish("/leaderboard/c", {"player": "c", "score": 1})
        assert error_types(answer) == ["BoardFull"]


async def test_one_board_too_many_is_refused_by_the_default_ceiling_of_10_000(start: Start) -> None:
    server = await start(limits={"publishes_per_second": 0})
    async with nobody_else_notices(server) as client:
        for number in range(9_999):  # and the witness' own
            await client.send(
                type="publish",
                id=f"b{number}",
                channel=f"/leaderboard/board-{number}",
                events=['{"player":"x","score":1}'],
                authorization=client.authorization,
            )
            answer = await client.receive()
            assert answer["type"] == "publish_success"
        answer = await client.publish("/leaderboard/one-more", {"player": "x", "score": 1})
        assert first_error(answer) == "LimitExceededError"
        assert "10000" in answer["errors"][0]["message"]


async def test_the_1001st_personal_view_of_a_board_is_refused(start: Start) -> None:
    server = await start(limits={"subscriptions_per_connection": 1001})
    async with nobody_else_notices(server) as client:
        for number in range(1000):
            await client.subscribe(BOARD, id=f"s{number}", view={"around": f"p{number}"})
        await client.send(
            type="subscribe",
            id="one-more",
            channel=BOARD,
            view={"around": "p1000"},
            authorization=client.authorization,
        )
        answer = await client.expect("subscribe_error", id="one-more")
        assert first_error(answer) == "LimitExceededError"


# -- rates and ceilings of those who come ------------------------------------------------------------------------------


def player_token(server: Server, player: str) -> str:
    return str(server.app.state.auth.issue("player", BOARD, player, 3600)[0])


async def test_a_publish_over_the_rate_says_when_the_next_is_taken(start: Start) -> None:
    server = await start(limits={"publishes_per_second": 1})
    client = await server.client()
    await client.publish(BOARD, {"player": "ann", "score": 1})
    answer = await client.publish(BOARD, {"player": "ann", "score": 2})
    assert error_types(answer) == ["LimitExceededError"]
    wait = answer["errors"][0]["retryAfterMs"]
    assert 0 < wait <= 1000
    await asyncio.sleep(wait / 1000)
    assert (await client.publish(BOARD, {"player": "ann", "score": 2}))["type"] == "publish_success"


async def test_a_player_has_one_rate_on_all_its_devices_and_over_http(start: Start) -> None:
    server = await start(limits={"publishes_per_player": 2})
    token = player_token(server, "ann")
    phone, tablet = [
        await server.client(None, token=token),
        await server.client(None, token=player_token(server, "ann")),
    ]
    event = {"player": "ann", "score": 1}
    assert (await phone.publish(BOARD, event))["type"] == "publish_success"
    assert (await tablet.publish(BOARD, event))["type"] == "publish_success"
    assert error_types(await phone.publish(BOARD, event)) == ["LimitExceededError"]
    http = await server.http(token=token)
    refused = await http.post(
        "/event", json={"channel": BOARD, "events": ['{"player":"ann","score":1}']}
    )
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert 0 < refused.json()["errors"][0]["retryAfterMs"] <= 1000
    other = await server.client(None, token=player_token(server, "bob"))
    assert (await other.publish(BOARD, {"player": "bob", "score": 1}))["type"] == "publish_success"


async def test_a_key_may_have_a_rate_of_its_own(start: Start) -> None:
    server = await start(limits={"publishes_per_credential": 2})
    event = {"player": "ann", "score": 1}
    clients = [await server.client() for _ in range(3)]
    answers = [await client.publish(BOARD, event) for client in clients]
    assert [answer["type"] for answer in answers] == 2 * ["publish_success"] + ["publish_error"]
    assert error_types(answers[-1]) == ["LimitExceededError"]


async def turned_away(server: Server) -> Frame:
    """What a connection is told that is not taken in; afterwards it is closed with 1013."""
    async with connect(server.socket_url, VIEWER, init=False) as late:
        error = await late.expect("connection_error")
        assert await late.closed() == 1013
    return error


async def test_an_address_has_a_ceiling_of_connections(start: Start) -> None:
    server = await start(limits={"connections_per_address": 2})
    first, _ = await server.client(), await server.client()
    assert error_types(await turned_away(server)) == ["LimitExceededError"]
    await first.socket.close()

    async def room() -> bool:
        return len(server.app.state.realtime) == 1

    await eventually(room)
    assert await (await server.client()).alive()


@pytest.mark.parametrize("limit", ["connects_per_second", "connects_per_address"])
async def test_who_connects_too_often_is_told_when_to_come_back(start: Start, limit: str) -> None:
    server = await start(limits={limit: 2})
    clients: list[Client] = [await server.client(), await server.client()]
    told = await turned_away(server)
    assert error_types(told) == ["LimitExceededError"]
    assert 0 < told["errors"][0]["retryAfterMs"] <= 10_000
    assert all([await client.alive() for client in clients])


async def test_addresses_behind_a_named_proxy_are_told_apart_and_nobody_else_is_believed(
    start: Start,
) -> None:
    for proxies, taken in ((["127.0.0.1"], True), (["10.0.0.0/8"], False), ([], False)):
        server = await start(limits={"connections_per_address": 1}, trusted_proxies=proxies)
        async with AsyncExitStack() as stack:
            answers = []
            for number in (1, 2):
                headers = {"x-api-key": ADMIN, "x-forwarded-for": f"203.0.113.{number}"}
                socket = await stack.enter_async_context(
                    websockets.connect(
                        server.socket_url, subprotocols=[NAME], additional_headers=headers
                    )
                )
                with suppress(websockets.ConnectionClosed):  # it may be told before it has asked
                    await socket.send('{"type":"connection_init"}')
                answers.append(json.loads(await socket.recv())["type"])
        assert answers == ["connection_ack", "connection_ack" if taken else "connection_error"]
