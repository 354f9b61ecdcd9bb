"""The Python client: against a real server where the two must agree, and against a scripted one where it must cope."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response
from websockets.typing import Subprotocol

from leaderboard.client import (
    CannotConnect,
    Client,
    ClientError,
    Closed,
    Environment,
    OutcomeUnknown,
    Overflow,
    Published,
    Refused,
    Result,
    Snapshot,
    Snapshots,
    State,
    connect,
)
from leaderboard.link import Transport, dial, endpoint
from leaderboard.settings import Namespace
from tests.conftest import ADMIN, VIEWER, Server, Start
from tests.link_facts import CASES, STATES, Case
from tests.scripted import Connection, Hurried, World, play

ARCADE = "/leaderboard/arcade"
PATIENCE = 10.0


async def until(board: Snapshots, **members: Any) -> Snapshot:
    """The next snapshot with these members."""
    async with asyncio.timeout(PATIENCE):
        async for snapshot in board:
            if all(getattr(snapshot, name) == value for name, value in members.items()):
                return snapshot
    raise AssertionError("the subscription ended")


def only(published: Published) -> Result:
    """The result of the one event."""
    assert published.results is not None
    (result,) = published.results
    assert result is not None
    return result


def scores(snapshot: Snapshot) -> dict[str, float]:
    return {row.player: row.score for row in snapshot.rows}


# -- as the client in JavaScript does ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_clients_do_the_same(case: Case) -> None:
    """The other one: tests/browser/test_link.py."""
    found = play(case.steps)
    assert {name: found[name] for name in case.found} == case.found


def test_states_have_the_same_names() -> None:
    assert tuple(State) == STATES


# -- with a real server ------------------------------------------------------------------------------------------------


async def test_a_score_comes_back_in_a_typed_snapshot(server: Server) -> None:
    async with connect(server.url, ADMIN) as client, client.subscribe(ARCADE, top=3) as board:
        assert (await until(board)).total == 0
        published = await client.publish(
            ARCADE,
            {"player": "ann", "score": 120, "name": "Ann", "meta": {"team": "red"}},
            results=True,
        )
        assert [item.index for item in published.successful] == [0]
        result = only(published)
        assert (result.player, result.score, result.rank) == ("ann", 120, 1)
        snapshot = await until(board, version=result.version)
        (row,) = snapshot.rows
        assert (row.rank, row.position, row.player, row.name) == (1, 1, "ann", "Ann")
        assert row.meta == {"team": "red"}
        assert (snapshot.channel, snapshot.total, snapshot.watching) == (ARCADE, 1, 1)


async def test_any_address_of_the_server_will_do(server: Server) -> None:
    for url in (server.url, server.url + "/", server.url + "/event", server.socket_url):
        async with connect(url, VIEWER) as client:
            assert client.state is State.LIVE


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h:1", "ws://h:1/event/realtime"),
        ("https://h/p/", "wss://h/p/event/realtime"),
        ("wss://h/event/realtime", "wss://h/event/realtime"),
        ("http://[::1]:8000", "ws://[::1]:8000/event/realtime"),
    ],
)
def test_the_address_of_the_socket(url: str, expected: str) -> None:
    assert endpoint(url) == expected


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://h", "http://", "http://h:port"])
async def test_what_is_no_address_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match="no address of a server"):
        async with connect(url):
            pass


async def test_a_view_shows_what_it_asks_for(server: Server) -> None:
    async with connect(server.url, ADMIN) as client:
        await client.publish(ARCADE, *({"player": f"p{n}", "score": n} for n in range(1, 6)))
        async with client.subscribe(
            ARCADE, top=2, around="p2", radius=1, of=["p1", "nobody"]
        ) as board:
            snapshot = await until(board)
    assert [row.player for row in snapshot.rows] == ["p5", "p4"]
    assert [row.player for row in snapshot.around] == ["p3", "p2", "p1"]
    assert [(row.player, row.percentile) for row in snapshot.of] == [("p1", 0.0)]


async def test_a_wildcard_shows_every_board_below(server: Server) -> None:
    async with connect(server.url, ADMIN) as client:
        await client.publish("/leaderboard/a", {"player": "ann", "score": 1})
        async with client.subscribe("/leaderboard/*") as boards:
            assert scores(await until(boards, channel="/leaderboard/a")) == {"ann": 1}
            await client.publish("/leaderboard/b/c", {"player": "bob", "score": 2})
            assert scores(await until(boards, channel="/leaderboard/b/c")) == {"bob": 2}


async def test_a_relay_channel_delivers_every_event_as_it_was_in_order(server: Server) -> None:
    async with connect(server.url, ADMIN) as client, client.events("/default/chat") as events:
        sent = [{"text": "hi"}, [1, 2], "three", None, {"id": "abc123", "score": 4}]
        await client.publish("/default/chat", *sent)
        assert [await anext(events) for _ in sent] == sent


async def test_a_relay_channel_has_no_ranking_to_subscribe_to(server: Server) -> None:
    async with connect(server.url, ADMIN) as client:
        with pytest.raises(Refused) as refused:
            async with client.subscribe("/default/chat"):
                pass
        assert refused.value.error_type == "BadRequestException"


async def test_a_board_shows_raw_events_where_its_namespace_does(start: Start) -> None:
    server = await start(namespaces={"open": Namespace(events=True)})
    async with connect(server.url, ADMIN) as client, client.events("/open/a") as events:
        await client.publish("/open/a", {"player": "ann", "score": 1}, retry=False)
        assert await anext(events) == {"player": "ann", "score": 1}


async def test_single_failures_are_told_and_do_not_raise(server: Server) -> None:
    async with connect(server.url, ADMIN) as client:
        published = await client.publish(ARCADE, {"player": "ann", "score": 1}, {"player": ""})
    assert [item.index for item in published.successful] == [0]
    assert [(item.index, item.errorType) for item in published.failed] == [(1, "InvalidEvent")]


async def test_a_publish_of_which_all_failed_raises_what_each_was_told(server: Server) -> None:
    async with connect(server.url, ADMIN) as client:
        with pytest.raises(Refused) as refused:
            await client.publish(ARCADE, {"player": ""}, {"player": "ann", "score": 2**60})
    assert refused.value.error_type == "InvalidEvent"
    assert refused.value.message == "player is missing or empty"
    assert [other.error_type for other in refused.value.others] == ["ScoreOutOfRange"]


async def test_a_key_that_may_not_publish_is_refused_and_stays_connected(server: Server) -> None:
    async with connect(server.url, VIEWER) as client:
        with pytest.raises(Refused, match="UnauthorizedException"):
            await client.publish(ARCADE, {"player": "ann", "score": 1})
        assert client.state is State.LIVE


async def test_a_key_that_is_not_good_is_refused_once_and_for_all(server: Server) -> None:
    dialled = []

    async def counted(url: str, protocols: Sequence[Subprotocol]) -> Transport:
        dialled.append(url)
        return await dial(url, protocols)

    client = Client(server.url, "da2-nobody", environment=Environment(dial=counted))
    with pytest.raises(Refused, match="UnauthorizedException"):
        await client.open()
    assert client.state is State.REFUSED
    with pytest.raises(Refused):
        await client.publish(ARCADE, {"player": "ann", "score": 1})
    await client.close()
    assert client.state is State.REFUSED
    assert len(dialled) == 1


async def test_nobody_there_is_said_with_the_address_and_the_reason(server: Server) -> None:
    await server.stop()
    with pytest.raises(
        CannotConnect, match=rf"ws://127.0.0.1:{server.port}/.*: connection refused"
    ):
        async with connect(server.url):
            pass


async def test_leaving_a_subscription_ends_it_at_the_server(server: Server) -> None:
    async with connect(server.url, ADMIN) as client:
        async with client.subscribe(ARCADE) as board:
            await until(board)
            assert server.app.state.broker.hub.size == 1
        await client.publish(
            ARCADE, {"player": "ann", "score": 1}
        )  # answered behind the unsubscribe
        assert server.app.state.broker.hub.size == 0


# -- a server that goes away -------------------------------------------------------------------------------------------


def no_pause() -> Environment:
    """The network as it is, but pauses are short."""
    return Environment(sleep=lambda _: asyncio.sleep(0.01))


async def test_it_comes_back_after_a_restart_and_sees_that_it_is_another_board(
    start: Start,
) -> None:
    first = await start()
    async with (
        connect(first.url, ADMIN, environment=no_pause()) as client,
        client.subscribe(ARCADE) as board,
    ):
        await client.publish(ARCADE, {"player": "ann", "score": 120})
        before = await until(board, total=1)
        await first.stop()
        waiting = asyncio.create_task(client.publish(ARCADE, {"player": "bob", "score": 7}))
        await start(port=first.port)
        assert [item.duplicate for item in (await waiting).successful] == [False]
        after = await until(board, total=1)
        while scores(after) != {"bob": 7}:
            after = await until(board)
        assert after.epoch not in ("", before.epoch)
        assert after.reset
        assert client.state is State.LIVE


async def test_a_server_that_comes_back_without_the_key_ends_all_of_it(start: Start) -> None:
    first = await start()
    async with (
        connect(first.url, ADMIN, environment=no_pause()) as client,
        client.subscribe(ARCADE) as board,
    ):
        await until(board)
        await first.stop()
        waiting = asyncio.create_task(client.publish(ARCADE, {"player": "bob", "score": 7}))
        await start(port=first.port, api_keys=())
        with pytest.raises(Refused, match="UnauthorizedException"):
            await waiting
        with pytest.raises(Refused, match="UnauthorizedException"):
            await until(board, total=99)
        assert client.state is State.REFUSED


class Cutting:
    """The real network, but for the first answer to a publish: it is lost, and the connection with it."""

    def __init__(self) -> None:
        self.cuts = 1

    async def dial(self, url: str, protocols: Sequence[Subprotocol]) -> Transport:
        return _CutTransport(self, await dial(url, protocols))

    @property
    def environment(self) -> Environment:
        return Environment(dial=self.dial, sleep=lambda _: asyncio.sleep(0))


class _CutTransport:
    def __init__(self, cutting: Cutting, transport: Transport) -> None:
        self._cutting = cutting
        self._transport = transport

    async def recv(self) -> str | bytes:
        message = await self._transport.recv()
        if self._cutting.cuts and re.search("publish_(success|error)", str(message)):
            self._cutting.cuts -= 1
            raise ConnectionResetError("cut")
        return message

    async def send(self, message: str, /) -> None:
        await self._transport.send(message)

    async def close(self) -> None:
        await self._transport.close()


async def test_what_was_not_answered_is_sent_again_and_counts_once(server: Server) -> None:
    async with connect(server.url, ADMIN, environment=Cutting().environment) as client:
        published = await client.publish(
            "/game/room", {"player": "ann", "score": 5}, {"player": "ann", "score": 2}, results=True
        )
        assert [item.duplicate for item in published.successful] == [True, True]
        again = await client.publish("/game/room", {"player": "ann", "score": 1}, results=True)
        assert only(again).score == 8


async def test_what_could_count_twice_is_not_sent_again(server: Server) -> None:
    async with connect(server.url, ADMIN, environment=Cutting().environment) as client:
        with pytest.raises(OutcomeUnknown):
            await client.publish("/game/room", {"player": "ann", "score": 5}, retry=False)
        again = await client.publish("/game/room", {"player": "ann", "score": 1}, results=True)
        assert only(again).score == 6


async def test_nothing_is_sent_more_than_twice(server: Server) -> None:
    cutting = Cutting()
    cutting.cuts = 2
    async with connect(server.url, ADMIN, environment=cutting.environment) as client:
        with pytest.raises(OutcomeUnknown):
            await client.publish("/game/room", {"player": "ann", "score": 5})
        async with client.subscribe("/game/room") as board:
            assert scores(await until(board)) == {"ann": 5}


async def test_two_clients_number_the_same_player_without_colliding(server: Server) -> None:
    async with connect(server.url, ADMIN) as one, connect(server.url, ADMIN) as other:
        await one.publish("/game/room", {"player": "ann", "score": 5})
        await other.publish("/game/room", {"player": "ann", "score": 5})
        async with one.subscribe("/game/room") as board:
            assert scores(await until(board)) == {"ann": 10}


# -- a scripted one ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def acquainted(
    world: World, states: asyncio.Queue[State] | None = None, timeout_ms: int = 300_000
) -> AsyncIterator[tuple[Client, Connection]]:
    """A client and the connection that it has opened."""
    told = None if states is None else states.put_nowait
    client = Client("http://server", "key", on_state=told, environment=world.environment)
    opening = asyncio.create_task(client.open())
    connection = await world.answer()
    await connection.acknowledge(timeout_ms)
    await opening
    try:
        yield client, connection
    finally:
        await client.close()


async def test_a_slow_reader_sees_the_newest_and_what_was_passed_over() -> None:
    async with acquainted(World()) as (client, server):
        entering = asyncio.create_task(client.subscribe(ARCADE).__aenter__())
        id_ = await server.accept()
        board = await entering
        server.snapshot(id_, version=1)
        server.snapshot(id_, version=2, epoch="e2", reset=True)
        server.snapshot(id_, version=3, epoch="e2", skipped=4)
        await settled(client, server)
        snapshot = await anext(board)
        assert (snapshot.version, snapshot.reset, snapshot.skipped) == (3, True, 6)
        assert not board._holds()


async def settled(client: Client, server: Connection) -> None:
    """All that the server has said was taken: its answer to a publish comes behind it."""
    publishing = asyncio.create_task(client.publish("/default/x", 1))
    server.say(
        type="publish_success", id=(await server.heard("publish"))["id"], successful=[], failed=[]
    )
    await publishing


async def test_a_new_connection_is_told_what_is_known() -> None:
    world = World()
    async with acquainted(world) as (client, server):
        entering = asyncio.create_task(client.subscribe(ARCADE, top=5).__aenter__())
        asked = await server.heard("subscribe")
        assert asked["view"] == {"top": 5}
        assert asked["authorization"] == {"x-api-key": "key"}
        server.say(type="subscribe_success", id=asked["id"])
        board = await entering
        server.snapshot(asked["id"], epoch="e1", version=41)
        await anext(board)
        server.cut()
        server = await world.answer()
        await server.acknowledge()
        assert (await server.heard("subscribe"))["view"] == {"top": 5, "since": "e1.41"}


async def test_whoever_enters_a_subscription_is_told_even_what_may_pass() -> None:
    async with acquainted(World()) as (client, server):
        entering = asyncio.create_task(client.subscribe(ARCADE).__aenter__())
        id_ = (await server.heard("subscribe"))["id"]
        told = {"errorType": "LimitExceededError", "retryAfterMs": 2500}
        server.say(type="subscribe_error", id=id_, errors=[told])
        with pytest.raises(Refused, match="LimitExceededError") as refused:
            await entering
        assert refused.value.retry_after == 2.5
        await settled(client, server)  # and it is not asked for again


async def test_more_events_than_are_kept_is_an_error_behind_those_that_were() -> None:
    async with acquainted(World()) as (client, server):
        entering = asyncio.create_task(client.events("/default/x", keep=2).__aenter__())
        id_ = await server.accept()
        events = await entering
        for number in range(4):
            server.say(type="data", id=id_, event=str(number))
        await server.heard("unsubscribe")
        assert [await anext(events), await anext(events)] == [0, 1]
        with pytest.raises(Overflow):
            await anext(events)


async def test_a_client_that_was_put_out_stays_out() -> None:
    async with acquainted(World()) as (client, server):
        publishing = asyncio.create_task(client.publish("/default/x", 1))
        await server.heard("publish")
        server.cut(1008, "removed by the host")
        with pytest.raises(Refused, match="removed by the host"):
            await publishing
        assert client.state is State.REFUSED


@pytest.mark.parametrize("status", [401, 403])
async def test_an_upgrade_that_is_refused_is_not_asked_for_again(status: int) -> None:
    world = World()
    async with acquainted(world) as (client, server):
        server.cut()
        publishing = asyncio.create_task(client.publish(ARCADE, {"player": "ann", "score": 1}))
        await world.refuse(InvalidStatus(Response(status, "", Headers())))
        with pytest.raises(Refused, match="UnauthorizedException"):
            await publishing
        assert client.state is State.REFUSED


async def test_an_upgrade_that_fails_otherwise_is() -> None:
    world = World()
    async with acquainted(world) as (client, server):
        server.cut()
        await world.refuse(InvalidStatus(Response(502, "", Headers())))
        server = await world.answer()
        await server.acknowledge()
        await settled(client, server)


def test_a_server_that_does_not_answer_is_said_to_be_silent() -> None:
    async def opening() -> None:
        await Client("http://server", environment=World(asyncio.sleep).environment).open()

    with (
        asyncio.Runner(loop_factory=Hurried) as runner,
        pytest.raises(CannotConnect, match="no answer"),
    ):
        runner.run(opening())


async def test_a_client_is_opened_once_and_used_only_then() -> None:
    unopened = Client("http://server")
    with pytest.raises(Closed, match="not open"):
        await unopened.publish("/default/x", 1)
    await unopened.close()
    async with acquainted(World()) as (client, _):
        with pytest.raises(RuntimeError, match="once"):
            await client.open()


async def test_a_first_connection_that_is_turned_away_is_not_retried() -> None:
    world = World()
    client = Client("http://server", environment=world.environment)
    opening = asyncio.create_task(client.open())
    server = await world.answer()
    await server.heard("connection_init")
    server.say(
        type="connection_error", errors=[{"errorType": "LimitExceededError", "message": "full"}]
    )
    with pytest.raises(CannotConnect, match="full"):
        await opening
    await client.close()


async def test_a_frame_that_makes_no_sense_does_no_harm() -> None:
    async with acquainted(World()) as (client, server):
        for text in ("null", "{", '{"type": 1}', '{"type": "news"}', '{"type": "data", "id": "9"}'):
            server.say_raw(text)
        await settled(client, server)


async def test_an_event_that_is_no_snapshot_ends_only_its_subscription() -> None:
    async with acquainted(World()) as (client, server):
        entering = asyncio.create_task(client.subscribe(ARCADE).__aenter__())
        id_ = await server.accept()
        board = await entering
        server.say(type="data", id=id_, event='{"text": "hi"}')
        await server.heard("unsubscribe")
        with pytest.raises(ClientError, match="arcade"):
            await anext(board)
        await settled(client, server)


async def test_closing_resolves_everything_and_leaves_no_task() -> None:
    others = asyncio.all_tasks()
    async with acquainted(World()) as (client, server):
        entering = asyncio.create_task(client.subscribe(ARCADE).__aenter__())
        await server.accept()
        board = await entering
        reading = asyncio.create_task(anext(board, None))
        publishing = asyncio.create_task(client.publish("/default/x", 1))
        subscribing = asyncio.create_task(client.subscribe(ARCADE).__aenter__())
        await server.heard("publish")
        await client.close()
        assert await reading is None
        with pytest.raises(Closed):
            await publishing
        with pytest.raises(Closed):
            await subscribing
        with pytest.raises(Closed):
            await client.publish("/default/x", 1)
        assert client.state is State.CLOSED
        assert server.closed.is_set()
    assert asyncio.all_tasks() == others


async def test_a_mistake_in_the_program_is_not_swallowed() -> None:
    def faulty(state: State) -> None:
        raise ZeroDivisionError(state)

    world = World()
    client = Client("http://server", on_state=faulty, environment=world.environment)
    opening = asyncio.create_task(client.open())
    await (await world.answer()).acknowledge()
    await opening
    with pytest.raises(ZeroDivisionError):
        await client.publish("/default/x", 1)
    with pytest.raises(ZeroDivisionError):
        await client.close()


async def test_a_publish_that_nobody_waits_for_any_more_is_not_sent_again() -> None:
    world = World()
    async with acquainted(world) as (client, server):
        publishing = asyncio.create_task(client.publish(ARCADE, {"player": "ann", "score": 1}))
        await server.heard("publish")
        publishing.cancel()
        server.cut()
        server = await world.answer()
        await server.acknowledge()
        await settled(client, server)  # the first frame it hears is another publish


async def test_publishes_keep_their_order_over_a_reconnect() -> None:
    world = World()
    async with acquainted(world) as (client, server):
        tasks = [
            asyncio.create_task(client.publish(ARCADE, {"player": "ann", "score": n}))
            for n in range(3)
        ]
        first = [(await server.heard("publish"))["events"] for _ in range(3)]
        server.cut()
        server = await world.answer()
        tasks.append(asyncio.create_task(client.publish(ARCADE, {"player": "ann", "score": 9})))
        await server.acknowledge()
        second = [await server.heard("publish") for _ in range(4)]
        assert [frame["events"] for frame in second[:3]] == first
        assert '"n":4' in second[3]["events"][0]
        for frame in second:
            server.say(type="publish_success", id=frame["id"], successful=[], failed=[])
        await asyncio.gather(*tasks)
