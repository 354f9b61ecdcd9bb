"""Whatever a client sends: it is told what is wrong, and nobody else notices.

Each test ends with the same three looks (see `tests.witness`): the connection that sent it still answers or was closed
as it should be, another client's connection is as it was, and the board is intact.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import pytest_asyncio
import websockets

from tests.appsync import error_types, eventually
from tests.conftest import VIEWER, Server
from tests.rawsocket import BINARY, frame
from tests.witness import BOARD, first_error, nobody_else_notices

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def server(shared: Server) -> Server:
    """One server takes it all, one thing after the other."""
    return shared


# -- frames ------------------------------------------------------------------------------------------------------------

NO_ID: dict[str, tuple[str | bytes, str]] = {
    "not JSON": ("{nonsense", "BadRequestException"),
    "empty": ("", "BadRequestException"),
    "null": ("null", "BadRequestException"),
    "array": ("[]", "BadRequestException"),
    "number": ("17", "BadRequestException"),
    "binary": (b'{"type":"connection_init"}', "UnsupportedOperation"),
    "no type": ("{}", "BadRequestException"),
    "type that is no string": ('{"type":7}', "BadRequestException"),
    "publish without id": (
        json.dumps({"type": "publish", "channel": BOARD}),
        "BadRequestException",
    ),
    "subscribe without id": (json.dumps({"type": "subscribe"}), "BadRequestException"),
    "id that is no string": ('{"type":"unsubscribe","id":7}', "BadRequestException"),
    "over-long id": (json.dumps({"type": "unsubscribe", "id": "x" * 129}), "BadRequestException"),
    "nested without end": ('{"type":"publish","id":' + "[" * 100_000, "BadRequestException"),
    "a lone surrogate": ('{"type":"unsubscribe","id":"\\ud800"}', "BadRequestException"),
}


@pytest.mark.parametrize("name", NO_ID)
async def test_a_frame_that_is_no_message_is_an_error(server: Server, name: str) -> None:
    sent, error_type = NO_ID[name]
    async with nobody_else_notices(server) as client:
        await client.send_raw(sent)
        answer = await client.expect("error")
        assert first_error(answer) == error_type
        assert "id" not in answer


async def test_whoever_gives_an_id_is_answered_under_it(server: Server) -> None:
    async with nobody_else_notices(server) as client:
        for members in ({}, {"type": None}, {"type": 7}):
            await client.send(id="a1", **members)
            assert first_error(await client.expect("error", id="a1")) == "BadRequestException"


async def test_an_unknown_type_is_named_in_the_error(server: Server) -> None:
    async with nobody_else_notices(server) as client:
        await client.send(type="start", id="s1")
        answer = await client.expect("error", id="s1")
        assert first_error(answer) == "UnsupportedOperation"
        assert "start" in answer["errors"][0]["message"]


@pytest.mark.parametrize("kind", ["publish", "subscribe", "unsubscribe"])
async def test_an_id_with_other_characters_is_refused_under_that_id(
    server: Server, kind: str
) -> None:
    async with nobody_else_notices(server) as client:
        await client.send(type=kind, id="a b", channel=BOARD, events=["1"])
        answer = await client.expect(f"{kind}_error", id="a b")
        assert first_error(answer) == "BadRequestException"


async def test_the_id_of_a_live_subscription_cannot_be_used_again(server: Server) -> None:
    async with nobody_else_notices(server) as client:
        await client.subscribe(BOARD, id="same")
        await client.snapshot("same", total=1)
        await client.send(
            type="subscribe", id="same", channel=BOARD, authorization=client.authorization
        )
        answer = await client.expect("subscribe_error", id="same")
        assert first_error(answer) == "DuplicatedOperationError"
        # the first one lives
        await client.send(type="unsubscribe", id="same")
        await client.expect("unsubscribe_success", id="same")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        pytest.param(frame(b'{"type":"\xff\xfe"}'), 1007, id="invalid UTF-8"),
        pytest.param(frame(b"", length=4 * 1024**2), 1009, id="a frame of 4 MB"),
        pytest.param(bytes([0x81, 0x02]) + b"{}", 1002, id="not masked"),
        pytest.param(bytes([0xC1, 0x80, 0, 0, 0, 0]), 1002, id="a reserved bit"),
    ],
)
async def test_what_breaks_the_websocket_protocol_closes_that_connection_only(
    server: Server, payload: bytes, code: int
) -> None:
    async with nobody_else_notices(server, closes=True):
        raw = await server.raw()
        await raw.write(payload)
        assert (await raw.until_closed())[1] == code


async def test_a_whole_frame_of_4_mb_closes_1009(server: Server) -> None:
    async with nobody_else_notices(server, closes=True) as client:
        with contextlib.suppress(websockets.ConnectionClosed):  # it may be told before all is sent
            await client.send_raw("x" * 4 * 1024**2)
        assert await client.closed() == 1009


async def test_a_half_closed_socket_is_let_go(server: Server) -> None:
    async with nobody_else_notices(server, closes=True):
        raw = await server.raw()
        await raw.subscribe(BOARD)
        before = len(server.app.state.realtime)
        raw.half_close()
        with contextlib.suppress(EOFError):  # the server's own end, after what it had sent
            while await raw.receive():
                pass

        async def let_go() -> bool:
            return len(server.app.state.realtime) == before - 1

        await eventually(let_go)  # on the plain door a task has to end first


async def test_a_binary_frame_in_pieces_is_refused_once(server: Server) -> None:
    async with nobody_else_notices(server, closes=True):
        raw = await server.raw()
        await raw.write(frame(b"ab", BINARY, fin=False) + frame(b"cd", 0))
        answer = await raw.receive()
        assert first_error(answer) == "UnsupportedOperation"


# -- publishes ---------------------------------------------------------------------------------------------------------

REFUSED_PUBLISHES: dict[str, tuple[dict[str, Any], str]] = {
    "six events": ({"events": ["{}"] * 6}, "InvalidInputError"),
    "no events": ({"events": []}, "BadRequestException"),
    "events that are no array": ({"events": "{}"}, "BadRequestException"),
    "an event that is no string": (
        {"events": [{"player": "x", "score": 1}]},
        "BadRequestException",
    ),
    "an event of 300 KB": ({"events": [json.dumps("x" * 300_000)]}, "InvalidInputError"),
    "an event of 300 KB in characters of four bytes": (
        {"events": [json.dumps("\N{GRINNING FACE}" * 75_000, ensure_ascii=False)]},
        "InvalidInputError",
    ),
    "no channel": ({"channel": None}, "BadRequestException"),
    "a channel of six segments": ({"channel": "/leaderboard/a/b/c/d/e"}, "BadRequestException"),
    "a segment of 51 characters": ({"channel": f"/leaderboard/{'a' * 51}"}, "BadRequestException"),
    "an underscore": ({"channel": "/leaderboard/a_b"}, "BadRequestException"),
    "a wildcard": ({"channel": "/leaderboard/*"}, "BadRequestException"),
    "an empty channel": ({"channel": ""}, "BadRequestException"),
    "nothing but empty": ({"channel": "", "authorization": None}, "BadRequestException"),
    "an unknown namespace": ({"channel": "/nowhere/a"}, "UnauthorizedException"),
    "no authorization": ({"authorization": None}, "UnauthorizedException"),
    "an empty authorization": ({"authorization": {}}, "UnauthorizedException"),
    "an unknown key": ({"authorization": {"x-api-key": "da2-wrong"}}, "UnauthorizedException"),
    "a key that is no string": ({"authorization": {"x-api-key": 7}}, "UnauthorizedException"),
    "an authorization that is no object": ({"authorization": "da2"}, "BadRequestException"),
    "the viewer's key": ({"authorization": {"x-api-key": VIEWER}}, "UnauthorizedException"),
}


@pytest.mark.parametrize("name", REFUSED_PUBLISHES)
async def test_a_publish_is_refused_as_a_whole(server: Server, name: str) -> None:
    members, error_type = REFUSED_PUBLISHES[name]
    async with nobody_else_notices(server) as client:
        await client.send(
            **{
                "type": "publish",
                "id": "p1",
                "channel": BOARD,
                "events": ['{"player":"x","score":1}'],
                "authorization": client.authorization,
                **members,
            }
        )
        answer = await client.expect("publish_error", "publish_success", id="p1")
        assert answer["type"] == "publish_error"
        assert first_error(answer) == error_type


FAILED_EVENTS: dict[str, tuple[str, str]] = {
    "not JSON": ("{player: x}", "InvalidEvent"),
    "empty": ("", "InvalidEvent"),
    "no object": ('["x", 1]', "InvalidEvent"),
    "null": ("null", "InvalidEvent"),
    "no player": ('{"score":1}', "InvalidEvent"),
    "an empty player": ('{"player":"","score":1}', "InvalidEvent"),
    "a player that is no string": ('{"player":7,"score":1}', "InvalidEvent"),
    "a player of 129 characters": (json.dumps({"player": "x" * 129, "score": 1}), "InvalidEvent"),
    "a control character in the player": ('{"player":"a\\u0007b","score":1}', "InvalidEvent"),
    "a lone surrogate in the player": ('{"player":"a\\ud800","score":1}', "InvalidEvent"),
    "no score": ('{"player":"x"}', "InvalidEvent"),
    "NaN": ('{"player":"x","score":NaN}', "InvalidEvent"),
    "Infinity": ('{"player":"x","score":Infinity}', "InvalidEvent"),
    "1e400": ('{"player":"x","score":1e400}', "InvalidEvent"),
    "a score in quotes": ('{"player":"x","score":"12"}', "InvalidEvent"),
    "true": ('{"player":"x","score":true}', "InvalidEvent"),
    "2^53": ('{"player":"x","score":9007199254740992}', "ScoreOutOfRange"),
    "minus 2^53": ('{"player":"x","score":-9007199254740992}', "ScoreOutOfRange"),
    "meta over 1 KB": (
        json.dumps({"player": "x", "score": 1, "meta": {"m": "x" * 1024}}),
        "InvalidEvent",
    ),
    "meta that is no object": ('{"player":"x","score":1,"meta":[1]}', "InvalidEvent"),
    "meta nested without end": (
        '{"player":"x","score":1,"meta":{"a":' + "[" * 50_000 + "]" * 50_000 + "}}",
        "InvalidEvent",
    ),
    "a name of nothing but spaces": ('{"player":"x","score":1,"name":"  "}', "InvalidEvent"),
    "a name of 65 letters": (
        json.dumps({"player": "x", "score": 1, "name": "n" * 65}),
        "InvalidEvent",
    ),
    "n below 1": ('{"player":"x","score":1,"n":0}', "InvalidEvent"),
    "n beyond 2^53-1": ('{"player":"x","score":1,"n":9007199254740992}', "InvalidEvent"),
    "by with other characters": ('{"player":"x","score":1,"by":"a b","n":1}', "InvalidEvent"),
    "an unknown op": ('{"op":"multiply","player":"x"}', "InvalidEvent"),
    "another round": ('{"player":"x","score":1,"round":2}', "WrongRound"),
}


@pytest.mark.parametrize("name", FAILED_EVENTS)
async def test_an_event_fails_by_itself(server: Server, name: str) -> None:
    text, error_type = FAILED_EVENTS[name]
    async with nobody_else_notices(server) as client:
        alone = await client.publish(BOARD, text)
        assert error_types(alone) == [error_type]
        # beside a good one (that changes nothing) it is the only one that fails
        beside = await client.publish(BOARD, '{"player":"ann","score":1}', text)
        assert [item["index"] for item in beside["successful"]] == [0]
        [failed] = beside["failed"]
        assert (failed["index"], failed["errorType"]) == (1, error_type)
        assert 400 <= failed["code"] < 500
        assert failed["message"]


@pytest.mark.parametrize("text", ["", "{", "NaN", '"\\ud800"', "[" * 100_000, "1 2"])
async def test_a_relay_channel_takes_nothing_that_its_subscribers_could_not_parse(
    server: Server, text: str
) -> None:
    async with nobody_else_notices(server) as client:
        chat = await client.subscribe("/default/chat")
        assert error_types(await client.publish("/default/chat", text)) == ["InvalidEvent"]
        await client.publish("/default/chat", "7")
        assert await client.event(chat) == 7


async def test_a_sum_that_would_leave_the_range_of_exact_numbers_fails(server: Server) -> None:
    async with nobody_else_notices(server) as client:
        largest = 2**53 - 1
        await client.publish("/game/sum", {"player": "x", "score": largest})
        answer = await client.publish("/game/sum", {"player": "x", "score": 1})
        assert error_types(answer) == ["ScoreOutOfRange"]
        assert (await client.look("/game/sum"))["rows"][0]["score"] == largest


# -- subscribes --------------------------------------------------------------------------------------------------------

REFUSED_SUBSCRIBES: dict[str, tuple[dict[str, Any], str]] = {
    "top 0": ({"view": {"top": 0}}, "BadRequestException"),
    "top 101": ({"view": {"top": 101}}, "BadRequestException"),
    "top x": ({"view": {"top": "x"}}, "BadRequestException"),
    "radius -1": ({"view": {"around": "ann", "radius": -1}}, "BadRequestException"),
    "radius 51": ({"view": {"around": "ann", "radius": 51}}, "BadRequestException"),
    "around nobody": ({"view": {"around": ""}}, "BadRequestException"),
    "of nobody": ({"view": {"of": []}}, "BadRequestException"),
    "of 101": ({"view": {"of": [str(number) for number in range(101)]}}, "BadRequestException"),
    "every third beat": ({"view": {"every": 3}}, "BadRequestException"),
    "an unknown member": ({"view": {"bottom": 3}}, "BadRequestException"),
    "another word": ({"view": "everything"}, "BadRequestException"),
    "raw events where there are none": ({"view": "events"}, "BadRequestException"),
    "a view of a relay channel": (
        {"channel": "/default/chat", "view": {"top": 3}},
        "BadRequestException",
    ),
    "six segments": ({"channel": "/leaderboard/a/b/c/d/e"}, "BadRequestException"),
    "everything": ({"channel": "/*"}, "BadRequestException"),
    "a wildcard in the middle": ({"channel": "/leaderboard/*/a"}, "BadRequestException"),
    "two stars": ({"channel": "/leaderboard/**"}, "BadRequestException"),
    "an unknown namespace": ({"channel": "/nowhere/a"}, "UnauthorizedException"),
    "no authorization": ({"authorization": None}, "UnauthorizedException"),
    "an unknown key": ({"authorization": {"x-api-key": "wrong"}}, "UnauthorizedException"),
}


@pytest.mark.parametrize("name", REFUSED_SUBSCRIBES)
async def test_a_subscribe_is_refused(server: Server, name: str) -> None:
    members, error_type = REFUSED_SUBSCRIBES[name]
    async with nobody_else_notices(server) as client:
        await client.send(
            **{
                "type": "subscribe",
                "id": "s1",
                "channel": BOARD,
                "authorization": client.authorization,
                **members,
            }
        )
        answer = await client.expect("subscribe_error", "subscribe_success", id="s1")
        assert answer["type"] == "subscribe_error"
        assert first_error(answer) == error_type
        # the id is free
        await client.subscribe(BOARD, id="s1")


async def test_an_unknown_player_is_an_empty_window_and_no_error(server: Server) -> None:
    async with nobody_else_notices(server) as client:
        board = await client.subscribe(BOARD, view={"around": "nobody", "radius": 2})
        snapshot = await client.snapshot(board)
        assert snapshot["around"] == []
        assert snapshot["total"] == 1


async def test_the_201st_subscription_is_refused_and_200_live_on(server: Server) -> None:
    async with nobody_else_notices(server) as client:
        for number in range(200):
            await client.subscribe("/default/chat", id=f"s{number}")
        await client.send(
            type="subscribe",
            id="one-more",
            channel="/default/chat",
            authorization=client.authorization,
        )
        answer = await client.expect("subscribe_error", id="one-more")
        assert first_error(answer) == "MaxSubscriptionsReachedError"
        await client.publish("/default/chat", "1")
        for number in range(200):
            assert await client.event(f"s{number}") == 1
