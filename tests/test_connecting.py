"""How a connection begins, stays and ends: sub-protocols, credentials, keep-alives, lifetimes, ceilings."""

from __future__ import annotations

import base64

import pytest
import websockets
from websockets.typing import Subprotocol

from tests.appsync import NAME, Client, connect, error_types, eventually, header_protocol
from tests.conftest import ADMIN, SCOREKEEPER, VIEWER, Server, Start

BOARD = "/leaderboard/arcade"


# -- the upgrade -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "offered",
    [
        [NAME, header_protocol(**{"x-api-key": ADMIN})],
        [header_protocol(**{"x-api-key": ADMIN}), NAME],
        [NAME, header_protocol(**{"X-Api-Key": ADMIN, "accept": "application/json"})],
    ],
    ids=["name first, as amplify-js", "header- first, as AWS' shell example", "member in capitals"],
)
async def test_the_credential_in_a_sub_protocol_opens_the_connection(
    server: Server, offered: list[Subprotocol]
) -> None:
    async with websockets.connect(server.socket_url, subprotocols=offered) as socket:
        assert socket.subprotocol == NAME
        assert socket.response is not None
        assert socket.response.headers.get_all("sec-websocket-protocol") == [NAME]
        assert await Client(socket, ADMIN).alive()


async def test_the_credential_in_plain_headers_opens_the_connection(server: Server) -> None:
    client = await server.client(ADMIN, carrier="headers")
    assert client.socket.subprotocol == NAME
    assert await client.alive()


async def test_the_header_protocol_is_decoded_leniently(server: Server) -> None:
    # AWS' shell example encodes what `echo` wrote, newline included; values need not be strings
    text = b'{"host":"localhost","x-api-key":"%s","x-amz-date":20260101}\n' % ADMIN.encode()
    encoded = base64.urlsafe_b64encode(text).decode().rstrip("=")
    offered = [Subprotocol(f"header-{encoded}"), NAME]
    async with websockets.connect(server.socket_url, subprotocols=offered) as socket:
        assert await Client(socket, ADMIN).alive()


async def test_the_query_string_is_ignored(server: Server) -> None:
    async with connect(f"{server.socket_url}?x-custom=1", ADMIN) as client:
        assert await client.alive()


async def test_a_client_that_offers_no_sub_protocol_is_given_none(server: Server) -> None:
    headers = {"x-api-key": ADMIN}
    async with websockets.connect(server.socket_url, additional_headers=headers) as socket:
        assert socket.subprotocol is None
        assert await Client(socket, ADMIN).alive()


async def test_no_compression_is_agreed_to(server: Server) -> None:
    async with connect(server.socket_url, ADMIN, compression="deflate") as client:
        assert client.socket.response is not None
        assert "sec-websocket-extensions" not in client.socket.response.headers


# -- connection_init ---------------------------------------------------------------------------------------------------


async def test_connection_init_is_acknowledged_with_the_time_out(server: Server) -> None:
    client = await server.client(init=False)
    await client.send(type="connection_init", payload={"anything": 1})
    assert await client.receive() == {"type": "connection_ack", "connectionTimeoutMs": 300_000}
    # at once, because amplify-js reckons from the last one that it has seen on any connection
    assert await client.receive() == {"type": "ka"}


@pytest.mark.parametrize("carrier", ["protocol", "headers"])
async def test_connection_init_is_optional(server: Server, carrier: str) -> None:
    client = await server.client(init=False, carrier=carrier)
    reply = await client.publish(BOARD, {"player": "ann", "score": 1})
    assert reply["type"] == "publish_success"


async def test_the_server_says_nothing_before_the_client_does(server: Server) -> None:
    # amplify-js listens only once its socket is open: what comes sooner is lost
    client = await server.client("da2-no-such-key", init=False)
    await client.socket.ping()
    await client.send(type="connection_init")
    assert (await client.receive())["type"] == "connection_error"


# -- refused -----------------------------------------------------------------------------------------------------------

REFUSED = [
    pytest.param([NAME, header_protocol(**{"x-api-key": "da2-wrong"})], {}, id="wrong key"),
    pytest.param([NAME], {"x-api-key": "da2-wrong"}, id="wrong key in plain headers"),
    pytest.param([NAME], {}, id="no key"),
    pytest.param([NAME, header_protocol()], {"x-api-key": ADMIN}, id="header- without a key"),
    pytest.param([NAME, header_protocol(**{"x-api-key": 7})], {}, id="a key that is no string"),
    pytest.param([NAME, header_protocol(Authorization="Bearer x")], {}, id="a mode that is off"),
]


@pytest.mark.parametrize(("offered", "headers"), REFUSED)
async def test_a_bad_credential_is_told_on_the_first_frame_and_the_connection_closed(
    server: Server, offered: list[Subprotocol], headers: dict[str, str]
) -> None:
    async with websockets.connect(
        server.socket_url, subprotocols=offered, additional_headers=headers
    ) as socket:
        assert socket.subprotocol == NAME, (
            "the upgrade is accepted: amplify-js retries a refused one"
        )
        client = Client(socket, None)
        await client.send(type="connection_init")
        error = {
            "errorType": "UnauthorizedException",
            "message": "You are not authorized to make this call.",
        }
        assert await client.receive() == {"type": "connection_error", "errors": [error]}
        assert await client.closed() == 1000
        assert client.frames == []


@pytest.mark.parametrize("value", ["!!!", "bm8ganNvbg", "W10", "bnVsbA", ""])
async def test_a_header_protocol_that_holds_no_object_is_a_bad_request(
    server: Server, value: str
) -> None:
    offered = [NAME, Subprotocol(f"header-{value}")]
    async with websockets.connect(server.socket_url, subprotocols=offered) as socket:
        client = Client(socket, None)
        await client.send(type="connection_init")
        assert error_types(await client.expect("connection_error")) == ["BadRequestException"]
        assert await client.closed() == 1000


async def test_whatever_the_first_frame_is_a_refused_connection_does_nothing_with_it(
    server: Server,
) -> None:
    refused = await server.client("da2-no-such-key", init=False)
    event = {"player": "mallory", "score": 1}
    authorization = {"x-api-key": ADMIN}
    await refused.send(**refused.publication(BOARD, event, authorization=authorization))
    assert error_types(await refused.receive()) == ["UnauthorizedException"]
    assert await refused.closed() == 1000
    witness = await server.client()
    assert (await witness.look(BOARD))["total"] == 0


@pytest.mark.parametrize("key", [SCOREKEEPER, VIEWER])
async def test_every_role_may_connect(server: Server, key: str) -> None:
    assert await (await server.client(key)).alive()


# -- operations carry their own credential -----------------------------------------------------------------------------


async def test_each_operation_is_authorised_by_itself_not_by_the_connection(server: Server) -> None:
    client = await server.client(ADMIN)
    event = {"player": "ann", "score": 1}
    for authorization in ({}, {"x-api-key": "da2-wrong"}, {"host": "localhost"}, None):
        refused = await client.publish(BOARD, event, authorization=authorization)
        assert refused["type"] == "publish_error"
        assert error_types(refused) == ["UnauthorizedException"]
        refused = await client.subscribing(BOARD, authorization=authorization)
        assert refused["type"] == "subscribe_error"
        assert error_types(refused) == ["UnauthorizedException"]


async def test_one_connection_may_use_several_credentials(server: Server) -> None:
    client = await server.client(VIEWER)
    board = await client.subscribe(BOARD)
    event = {"player": "ann", "score": 1}
    assert (await client.publish(BOARD, event))["type"] == "publish_error"
    reply = await client.publish(BOARD, event, authorization={"X-API-Key": SCOREKEEPER})
    assert reply["type"] == "publish_success"
    await client.snapshot(board, total=1)


# -- keep-alive and lifetime -------------------------------------------------------------------------------------------


async def test_keep_alives_come_again_and_again(start: Start) -> None:
    server = await start(limits={"keep_alive": 0.02})
    client = await server.client(init=False)
    await client.send(type="connection_init")
    assert (await client.receive())["connectionTimeoutMs"] == 100
    for _ in range(6):
        assert await client.receive() == {"type": "ka"}


async def test_a_connection_that_never_speaks_is_closed_and_only_that(start: Start) -> None:
    server = await start(limits={"first_frame": 0.2, "keep_alive": 0.05})
    speaker = await server.client()
    silent = await server.client(init=False)
    nobody = await server.client("da2-no-such-key", init=False)
    assert await silent.closed() == 1008
    assert await nobody.closed() == 1008
    for _ in range(8):  # well beyond the time that the silent one had
        await speaker.expect("ka")
    assert await speaker.alive()


async def test_a_connection_ends_with_its_lifetime(start: Start) -> None:
    server = await start(limits={"connection_lifetime": 0.2})
    client = await server.client()
    assert await client.closed() == 1001
    assert await (await server.client()).alive()


# -- the ceiling -------------------------------------------------------------------------------------------------------


async def test_a_connection_over_the_maximum_is_refused_and_only_that(start: Start) -> None:
    server = await start(limits={"connections": 2})
    first, second = await server.client(), await server.client()
    third = await server.client(init=False)
    assert error_types(await third.receive()) == ["LimitExceededError"]
    assert await third.closed() == 1013
    assert await first.alive()
    assert await second.alive()


async def test_a_connection_that_ended_makes_room_for_another(start: Start) -> None:
    server = await start(limits={"connections": 1})
    async with connect(server.socket_url, ADMIN) as client:
        assert await client.alive()
    assert await (await server.client()).alive()


async def test_connections_that_come_and_go_leave_nothing_behind(server: Server) -> None:
    for _ in range(20):
        async with connect(server.socket_url, ADMIN) as client:
            await client.subscribe(BOARD)
            await client.subscribe("/leaderboard/*")
            await client.subscribe("/default/chat")
    http = await server.http()

    async def nothing_is_left() -> bool:
        text = (await http.get("/metrics")).text
        gauges = ("connections", "subscriptions", "boards")
        return all(f"\nleaderboard_active_{gauge} 0.0\n" in text for gauge in gauges)

    await eventually(nothing_is_left)
