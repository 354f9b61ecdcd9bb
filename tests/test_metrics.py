"""What operators see: `/metrics` in Prometheus' form, under AppSync's names."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Mapping

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from leaderboard.metrics import COUNTERS, GAUGES, Metrics
from tests.appsync import connect, error_types, eventually
from tests.checkout import ROOT
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, Start
from tests.rawsocket import frame

BOARD = "/leaderboard/arcade"
CHAT = "/default/chat"
WRONG = "da2-wrong-key-that-nobody-has"

COUNTED = {
    "ConnectRequests": "connect_requests",
    "ConnectSuccess": "connect_success",
    "ConnectClientError": "connect_client_error",
    "DisconnectSuccess": "disconnect_success",
    "DisconnectClientError": "disconnect_client_error",
    "ConnectionDuration": "connection_duration",
    "SubscribeSuccess": "subscribe_success",
    "SubscribeClientError": "subscribe_client_error",
    "SubscribeServerError": "subscribe_server_error",
    "UnsubscribeSuccess": "unsubscribe_success",
    "UnsubscribeClientError": "unsubscribe_client_error",
    "UnsubscribeServerError": "unsubscribe_server_error",
    "PublishSuccess": "publish_success",
    "PublishClientError": "publish_client_error",
    "PublishServerError": "publish_server_error",
    "BroadcastEventSuccess": "broadcast_event_success",
    "BroadcastEventSize": "broadcast_event_size",
    "InboundMessages": "inbound_messages",
    "InboundMessageDropped": "inbound_message_dropped",
    "Requests": "requests",
    "4XXError": "http_4xx_error",
    "5XXError": "http_5xx_error",
}
"""AppSync's metrics that are counters here, and how Prometheus knows them."""
PRESENT = {
    "ActiveConnections": "active_connections",
    "ActiveSubscriptions": "active_subscriptions",
}


async def text(server: Server) -> str:
    answer = await (await server.http()).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text


async def families(server: Server) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(await text(server))}


async def numbers(server: Server) -> Mapping[str, float]:
    """This server's samples, without the prefix: a counter of a namespace as ``publish_success_total{game}``."""
    found: defaultdict[str, float] = defaultdict(float)
    for family in (await families(server)).values():
        for sample in family.samples:
            namespace = sample.labels.get("namespace")
            label = f"{{{namespace}}}" if namespace else ""
            found[sample.name.removeprefix("leaderboard_") + label] = sample.value
    return found


async def until(server: Server, **values: float) -> None:
    """Wait until these samples have these values: for what no answer tells."""

    async def holds() -> bool:
        found = await numbers(server)
        return all(found[name] == value for name, value in values.items())

    await eventually(holds)


# -- the text ----------------------------------------------------------------------------------------------------------


async def test_every_metric_is_there_from_the_start_under_appsyncs_name(server: Server) -> None:
    found = await families(server)
    for name, known in COUNTED.items():
        family = found[f"leaderboard_{known}"]
        assert family.type == "counter"
        assert family.documentation == COUNTERS[name]
    for name, known in PRESENT.items():
        family = found[f"leaderboard_{known}"]
        assert family.type == "gauge"
        assert family.documentation == GAUGES[name]
    ours = [name for name in found if name.startswith("leaderboard_")]
    assert len(ours) == len(COUNTERS) + len(GAUGES)


async def test_the_process_is_told_of_too(server: Server) -> None:
    found = await families(server)
    assert found["process_resident_memory_bytes"].samples[0].value > 1e6
    assert found["process_open_fds"].samples[0].value > 0


async def test_two_servers_of_one_process_count_for_themselves(start: Start) -> None:
    first, second = await start(), await start()
    await first.client()
    assert (await numbers(first))["connect_success_total"] == 1
    assert (await numbers(second))["connect_success_total"] == 0


async def test_no_key_is_ever_shown(server: Server) -> None:
    for key in (ADMIN, HOST, SCOREKEEPER, VIEWER, WRONG):
        client = await server.client(key, init=False)
        await client.send(type="connection_init")
        await client.receive()
        http = await server.http(key)
        await http.post("/event", json={"channel": BOARD, "events": ["{}"]})
        await http.get(f"/api/boards{BOARD}", params={"around": key})
        await http.get("/api/boards/" + key)
    client = await server.client()
    authorization = {"x-api-key": WRONG}
    await client.subscribing(BOARD, authorization=authorization)
    await client.publish(BOARD, "{}", authorization=authorization)
    await client.subscribing(f"/{WRONG}/x")
    shown = await text(server)
    for key in (ADMIN, HOST, SCOREKEEPER, VIEWER, WRONG):
        assert key not in shown


async def test_what_clients_invent_makes_no_series(server: Server) -> None:
    client, http = await server.client(), await server.http(ADMIN)
    before = len((await text(server)).splitlines())
    for number in range(20):
        channel = f"/invented-{number}/x"
        assert "errors" in await client.subscribing(channel)
        assert "errors" in await client.publish(channel, "{}")
        await http.post("/event", json={"channel": channel, "events": ["{}"]})
        await http.get(f"/api/boards{channel}")
    shown = await text(server)
    assert "invented" not in shown
    assert len(shown.splitlines()) <= before + 10


# -- connections -------------------------------------------------------------------------------------------------------


async def test_connections_are_counted_as_they_come_and_go(server: Server) -> None:
    async with connect(server.socket_url, ADMIN) as first, connect(server.socket_url, VIEWER):
        assert await first.alive()
        found = await numbers(server)
        assert found["connect_requests_total"] == found["connect_success_total"] == 2
        assert found["active_connections"] == 2
        assert found["disconnect_success_total"] == 0
    await until(server, active_connections=0, disconnect_success_total=2)
    found = await numbers(server)
    assert found["connect_success_total"] == 2
    assert found["disconnect_client_error_total"] == 0


async def test_durations_are_milliseconds(server: Server) -> None:
    opened = time.monotonic()
    async with connect(server.socket_url, ADMIN) as client:
        ready = time.monotonic()
        while time.monotonic() - ready < 0.1:
            await client.alive()
    await until(server, active_connections=0)
    duration = (await numbers(server))["connection_duration_total"]
    assert 100 <= duration <= (time.monotonic() - opened) * 1000


async def test_a_refused_credential_is_the_clients_error(server: Server) -> None:
    async with connect(server.socket_url, WRONG, init=False) as client:
        await client.send(type="connection_init")
        await client.expect("connection_error")
        assert await client.closed() == 1000
    await until(server, active_connections=0)
    found = await numbers(server)
    assert found["connect_requests_total"] == found["connect_client_error_total"] == 1
    assert found["connect_success_total"] == 0


async def test_a_server_that_is_full_counts_whom_it_turned_away(start: Start) -> None:
    server = await start(limits={"connections": 1})
    await server.client()
    turned_away = await server.client(init=False)
    assert await turned_away.closed() == 1013
    found = await numbers(server)
    assert found["connect_requests_total"] == 2
    assert found["connect_client_error_total"] == 1
    assert found["active_connections"] == 1


async def test_an_end_that_the_client_earned_is_its_error(start: Start) -> None:
    server = await start(limits={"first_frame": "100ms"})
    silent = await server.client(init=False)
    assert await silent.closed() == 1008
    await until(server, disconnect_client_error_total=1, active_connections=0)
    assert (await numbers(server))["disconnect_success_total"] == 0


async def test_who_does_not_finish_a_frame_is_disconnected_for_its_own_error(start: Start) -> None:
    server = await start(limits={"request": "100ms"})
    raw = await server.raw()
    await raw.write(frame(b"{", fin=False))
    assert (await raw.until_closed())[1] == 1013
    raw.close()
    await until(server, disconnect_client_error_total=1, active_connections=0)
    assert (await numbers(server))["disconnect_success_total"] == 0


# -- subscriptions -----------------------------------------------------------------------------------------------------


async def test_subscriptions_are_counted_as_they_come_and_go(server: Server) -> None:
    client = await server.client()
    board = await client.subscribe(BOARD)
    await client.subscribe("/leaderboard/*")
    await client.subscribe(CHAT)
    found = await numbers(server)
    assert found["subscribe_success_total{leaderboard}"] == 2
    assert found["subscribe_success_total{default}"] == 1
    assert found["active_subscriptions"] == 3

    await client.unsubscribe(board)
    found = await numbers(server)
    assert found["unsubscribe_success_total{leaderboard}"] == 1
    assert found["active_subscriptions"] == 2

    await client.socket.close()
    await until(server, active_subscriptions=0, active_boards=0)
    assert (await numbers(server))["unsubscribe_success_total{leaderboard}"] == 1


async def test_refused_subscribes_and_unsubscribes_are_the_clients_errors(server: Server) -> None:
    client = await server.client()
    assert "errors" in await client.subscribing("/nope/x")
    assert "errors" in await client.subscribing("not a channel")
    assert "errors" in await client.ask(type="unsubscribe", id="never")
    found = await numbers(server)
    assert found["subscribe_client_error_total"] == 2
    assert found["unsubscribe_client_error_total"] == 1
    assert found["subscribe_success_total"] == found["active_subscriptions"] == 0


async def test_a_subscribe_that_fails_in_the_server_is_the_servers_error(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault of the server")

    client = await server.client()
    id_ = await client.subscribe(BOARD)
    monkeypatch.setattr(server.app.state.broker, "subscribe", broken)
    assert error_types(await client.subscribing(BOARD)) == ["InternalFailure"]
    monkeypatch.setattr(server.app.state.broker, "unsubscribe", broken)
    answer = await client.ask(type="unsubscribe", id=id_)
    assert error_types(answer) == ["InternalFailure"]
    monkeypatch.undo()
    found = await numbers(server)
    assert found["subscribe_server_error_total"] == 1
    assert found["unsubscribe_server_error_total"] == 1
    assert found["subscribe_client_error_total"] == found["unsubscribe_client_error_total"] == 0


# -- publishes ---------------------------------------------------------------------------------------------------------


async def test_publishes_and_their_events_are_counted(server: Server) -> None:
    client = await server.client()
    await client.publish(BOARD, {"player": "ann", "score": 1}, "not JSON", {"player": "bob"})
    await client.publish("/game/ABCD", {"player": "ann", "score": 1})
    found = await numbers(server)
    assert found["publish_success_total{leaderboard}"] == 1
    assert found["successful_events_total{leaderboard}"] == 1
    assert found["failed_events_total{leaderboard}"] == 2
    assert found["publish_success_total{game}"] == 1
    assert found["successful_events_total{game}"] == 1
    assert found["failed_events_total{game}"] == 0


async def test_refused_publishes_are_the_clients_errors(server: Server) -> None:
    client = await server.client()
    assert "errors" in await client.publish("/nope/x", "1")
    assert "errors" in await client.publish(BOARD, *["{}"] * 6)
    assert "errors" in await client.publish(BOARD, "{}", "{}")  # all of its events failed
    found = await numbers(server)
    assert found["publish_client_error_total"] == 2
    assert found["publish_client_error_total{leaderboard}"] == 1
    assert found["failed_events_total{leaderboard}"] == 2
    assert found["publish_success_total{leaderboard}"] == 0


async def test_publishes_over_the_rate_are_dropped(start: Start) -> None:
    server = await start(limits={"publishes_per_second": 1})
    client = await server.client()
    event = {"player": "ann", "score": 1}
    publications = [client.publication(CHAT, event) for _ in range(3)]
    answers = await client.publish_all(publications)
    dropped = sum("errors" in answer for answer in answers)
    assert dropped >= 1
    assert (await numbers(server))["inbound_message_dropped_total"] == dropped


async def test_every_frame_is_an_inbound_message(server: Server) -> None:
    client = await server.client()  # sends connection_init
    await client.subscribe(CHAT)
    await client.publish(CHAT, 1)
    await client.send_raw("{nonsense")
    await client.expect("error")
    assert (await numbers(server))["inbound_messages_total"] == 4


async def test_broadcasts_are_counted_per_subscriber_and_event(server: Server) -> None:
    first, second = await server.client(), await server.client()
    subscriptions = [(first, await first.subscribe(CHAT)), (second, await second.subscribe(CHAT))]
    await first.publish(CHAT, 1, 2, 3)
    received = [await each.expect("data", id=id_) for each, id_ in subscriptions for _ in range(3)]
    found = await numbers(server)
    assert found["broadcast_event_success_total{default}"] == 6
    least = sum(len(json.dumps(frame, separators=(",", ":"))) for frame in received)
    assert least <= found["broadcast_event_size_total{default}"] <= least + 6 * 10, "with headers"


async def test_snapshots_are_broadcasts(server: Server) -> None:
    client = await server.client()
    board = await client.subscribe(BOARD)
    await client.snapshot(board, version=0)
    await client.publish(BOARD, {"player": "ann", "score": 1})
    await client.snapshot(board, version=1)
    found = await numbers(server)
    assert found["broadcast_event_success_total{leaderboard}"] >= 2
    assert found["broadcast_event_size_total{leaderboard}"] > 200
    assert found["active_boards"] == 1


# -- HTTP --------------------------------------------------------------------------------------------------------------


async def test_requests_and_refusals_of_http_are_counted(server: Server) -> None:
    http = await server.http(ADMIN)
    body = {"channel": BOARD, "events": ['{"player":"ann","score":1}', "null"]}
    await http.post("/event", json=body)
    await http.get("/api/boards")
    await http.get(f"/api/boards{BOARD}")
    found = await numbers(server)
    assert found["requests_total"] == 3
    assert found["http_4xx_error_total"] == 0
    assert found["successful_events_total{leaderboard}"] == 1
    assert found["failed_events_total{leaderboard}"] == 1

    await http.post("/event", content=b"null")
    await http.get("/api/boards/nope/x")
    await http.get(f"/api/boards{BOARD}?top=0")
    await http.get("/healthz")
    found = await numbers(server)
    assert found["requests_total"] == 6, "the looks of operators are none"
    assert found["http_4xx_error_total"] == 3
    assert found["http_5xx_error_total"] == 0


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_fault_of_the_server(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /event HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    await writer.drain()
    await until(server, requests_total=1)
    writer.close()
    await writer.wait_closed()

    async def answered() -> bool:
        found = await numbers(server)
        return found["http_4xx_error_total"] + found["http_5xx_error_total"] == 1

    await eventually(answered)
    assert (await numbers(server))["http_5xx_error_total"] == 0
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_fault_of_the_server_is_told_and_counted_as_one(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault that nobody is told of")

    monkeypatch.setattr(server.app.state.broker, "rules", broken)
    answer = await (await server.http()).get(f"/api/boards{BOARD}")
    monkeypatch.undo()
    assert answer.status_code == 500
    assert error_types(answer.json()) == ["InternalFailure"]
    assert "a fault" not in answer.text
    found = await numbers(server)
    assert found["http_5xx_error_total"] == 1
    assert found["http_4xx_error_total"] == 0


def test_every_metric_is_documented() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for family in Metrics().collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert f"| `{name}` | {family.documentation} |" in page
