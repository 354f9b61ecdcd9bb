"""A custom authorizer: asked as AppSync asks a Lambda function, its answer worth as much, and its faults no way in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from leaderboard.settings import ConfigError
from tests.appsync import connect, error_types, players
from tests.conftest import ADMIN, Server, Start
from tests.handled import placed

BOARD = "/leaderboard/cup"
DENIED = "You are not authorized to make this call."
EVERYWHERE: dict[str, Any] = {
    "connection_auth_modes": ("AWS_LAMBDA", "API_KEY"),
    "default_publish_auth_modes": ("AWS_LAMBDA", "API_KEY"),
    "default_subscribe_auth_modes": ("AWS_LAMBDA", "API_KEY"),
}

Event = dict[str, Any]


class Asked:
    """An authorizer that remembers what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.events: list[Event] = []

    def __call__(self, event: Event) -> Any:
        self.events.append(event)
        return self.answer(event) if callable(self.answer) else self.answer

    def contexts(self) -> list[tuple[Any, ...]]:
        """Operation, namespace and channel of each question."""
        names = ("operation", "channelNamespaceName", "channel")
        return [tuple(each["requestContext"][name] for name in names) for each in self.events]


async def serving(start: Start, authorizer: Callable[[Any], Any], **values: Any) -> Server:
    return await start(authorizer=placed(authorizer), **{**EVERYWHERE, **values})


async def post(server: Server, token: str, player: str = "ann", channel: str = BOARD) -> Any:
    http = await server.http(token=token)
    event = json.dumps({"player": player, "score": 1})
    return (await http.post("/event", json={"channel": channel, "events": [event]})).json()


async def test_it_is_asked_about_each_operation_as_appsync_asks(start: Start) -> None:
    asked = Asked({"isAuthorized": True})
    server = await serving(start, asked)
    client = await server.client(None, token="open sesame")
    id_ = await client.subscribe(BOARD)
    await client.publish(BOARD, {"player": "ann", "score": 1})
    await client.until(id_, lambda snapshot: players(snapshot) == ["ann"])
    assert asked.contexts() == [
        ("EVENT_CONNECT", None, None),
        ("EVENT_SUBSCRIBE", "leaderboard", BOARD),
        ("EVENT_PUBLISH", "leaderboard", BOARD),
    ]
    assert {event["authorizationToken"] for event in asked.events} == {"open sesame"}
    request = asked.events[0]["requestContext"]
    assert request.keys() >= {"apiId", "accountId", "requestId"}
    assert asked.events[0]["requestHeaders"]["sec-websocket-version"] == "13"


async def test_a_no_is_a_refusal_without_a_reason_by_every_door(start: Start) -> None:
    server = await serving(start, Asked({"isAuthorized": False}))
    refused = [{"errorType": "UnauthorizedException", "message": DENIED}]
    for channel in (BOARD, "/nowhere/a"):
        assert (await post(server, "x", channel=channel))["errors"] == refused
        client = await server.client()
        authorization = {"Authorization": "x"}
        answer = await client.subscribing(channel, authorization=authorization)
        assert answer["errors"] == refused
    http = await server.http(token="x")
    assert (await http.get(f"/api/boards{BOARD}")).status_code == 401
    assert (await http.get("/api/boards")).status_code == 401
    client = await server.client(None, token="x", init=False)
    await client.send(type="connection_init")
    assert (await client.expect("connection_error"))["errors"] == refused
    assert await client.closed() == 1000


async def test_a_yes_is_for_that_operation_and_channel_alone(start: Start) -> None:
    server = await serving(
        start, lambda event: {"isAuthorized": event["requestContext"]["channel"] == BOARD}
    )
    assert len((await post(server, "x"))["successful"]) == 1
    assert error_types(await post(server, "x", channel="/leaderboard/other")) == [
        "UnauthorizedException"
    ]


async def test_its_context_may_name_role_and_player(start: Start) -> None:
    context = {"role": "player", "player": "ann", "more": "for handlers"}
    server = await serving(start, Asked({"isAuthorized": True, "handlerContext": context}))
    assert len((await post(server, "x"))["successful"]) == 1
    (failed,) = (await post(server, "x", "bob"))["failed"]
    assert failed["errorType"] == "NotAllowed"


async def test_handlers_find_its_context(start: Start) -> None:
    said: list[Any] = []

    def on_publish(ctx: Any) -> Any:
        said.append(dict(ctx.identity.said))
        return ctx.events

    server = await serving(
        start,
        Asked({"isAuthorized": True, "handlerContext": {"team": "red"}}),
        namespaces={"leaderboard": {"on_publish": placed(on_publish)}},
    )
    await post(server, "x")
    assert said == [{"team": "red"}]


@pytest.mark.parametrize(("ttl", "times"), [(0, 3), (60, 1), (None, 1)])
async def test_its_answer_is_remembered_as_long_as_it_says(
    start: Start, ttl: int | None, times: int
) -> None:
    answer = {"isAuthorized": True} if ttl is None else {"isAuthorized": True, "ttlOverride": ttl}
    asked = Asked(answer)
    server = await serving(start, asked)
    client = await server.client()
    for score in range(3):  # by a connection that remembers what it was told last
        authorization = {"Authorization": "x"}
        event = {"player": "ann", "score": score}
        await client.publish(BOARD, event, authorization=authorization)
    assert len(asked.events) == times


async def test_a_spelling_of_the_name_is_no_further_question(start: Start) -> None:
    asked = Asked({"isAuthorized": False, "ttlOverride": 0})
    server = await serving(start, asked)
    client = await server.client()
    names = ("authorization", "Authorization", "AUTHORIZATION", "aUthorization")
    await client.subscribing(BOARD, authorization=dict.fromkeys(names, "x"))
    assert len(asked.events) == 1


async def test_keys_and_tokens_of_this_server_are_not_put_to_it(start: Start) -> None:
    asked = Asked({"isAuthorized": True})
    server = await serving(start, asked)
    assert (
        len(
            (await post(server, server.app.state.auth.issue("host", BOARD, None, 60)[0]))[
                "successful"
            ]
        )
        == 1
    )
    assert (await (await server.http(ADMIN)).get("/api/boards")).status_code == 200
    assert (await (await server.http("no key")).get("/api/boards")).status_code == 401
    assert asked.events == []


async def test_an_async_one_makes_its_own_connection_wait_and_nobody_else(start: Start) -> None:
    answer = asyncio.Event()

    async def authorize(event: Event) -> Event:
        await answer.wait()
        return {"isAuthorized": True}

    server = await serving(start, authorize)
    waiting, other = await server.client(), await server.client()
    first = waiting.publication(
        BOARD, {"player": "a", "score": 1}, authorization={"Authorization": "x"}
    )
    second = waiting.publication(BOARD, {"player": "b", "score": 1})
    await waiting.send(**first)
    await waiting.send(**second)
    await other.publish(BOARD, {"player": "c", "score": 1})
    assert players(await other.look(BOARD)) == ["c"]
    answer.set()
    assert [(await waiting.receive())["id"] for _ in range(2)] == [first["id"], second["id"]]
    assert players(await other.look(BOARD)) == ["c", "a", "b"]


async def never(event: Event) -> Event:
    await asyncio.Event().wait()
    return {}


FAULTS: dict[str, Any] = {
    "late": never,
    "raises": lambda event: event["no such member"],
    "nothing": lambda event: None,
    "true": lambda event: True,
    "no boolean": lambda event: {"isAuthorized": "yes"},
    "an unknown role": lambda event: {"isAuthorized": True, "handlerContext": {"role": "root"}},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_fault_lets_nobody_in_and_names_no_token(
    start: Start, fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serving(start, fault, authorizer_timeout="200ms")
    answer = await post(server, "a-secret-of-somebody")
    assert error_types(answer) == ["InternalFailure"]
    assert "authorizer" in caplog.text
    assert "a-secret-of-somebody" not in caplog.text
    assert (await (await server.http(ADMIN)).get("/api/boards")).json()["boards"] == []


async def test_what_cannot_be_imported_ends_the_start(start: Start) -> None:
    with pytest.raises(ConfigError, match=r"tests\.handled:nothing cannot be imported"):
        await start(authorizer="tests.handled:nothing", **EVERYWHERE)


async def test_who_connects_too_often_is_not_asked_about(start: Start) -> None:
    """A flood of connections must not become a flood of calls of the function."""
    asked = Asked({"isAuthorized": True, "ttlOverride": 0})
    server = await serving(start, asked, limits={"connects_per_address": 1})
    async with connect(server.socket_url, None, token="first"):
        pass
    async with connect(server.socket_url, None, token="second", init=False) as late:
        assert error_types(await late.expect("connection_error")) == ["LimitExceededError"]
    assert [each["authorizationToken"] for each in asked.events] == ["first"]
