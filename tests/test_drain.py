"""The end of a server: everybody gets the newest of what they watch, is told to come back, and nobody holds it up."""

from __future__ import annotations

import asyncio
import contextlib
import json

import httpx
import pytest
import websockets

from tests.appsync import Client, eventually
from tests.conftest import HOST, VIEWER, Server, Start
from tests.rawsocket import RawSocket

BOARD = "/leaderboard/arcade"
CHAT = "/default/chat"
SMALL = 4096
"""Bytes that the kernel holds for either side."""
PROMISED = 5.0
"""Seconds in which a server has ended, whatever its clients do."""


def events(client: Client, id_: str) -> list[str]:
    """What has come for a subscription and nobody has taken."""
    return [frame["event"] for frame in client.frames if frame.get("id") == id_]


def versions(client: Client, id_: str) -> list[int]:
    return [json.loads(event)["version"] for event in events(client, id_)]


@pytest.fixture
async def slow(start: Start) -> Server:
    """A server that sends a board once a minute: what comes sooner comes because it ends."""
    namespaces = {
        "leaderboard": {"interval_ms": 60_000, "events": True},
        "default": {"kind": "relay"},
    }
    return await start(namespaces=namespaces)


@pytest.fixture
async def narrow(start: Start) -> Server:
    """A server that soon feels who does not read."""
    limits = {"publishes_per_second": 0}
    namespaces = {"leaderboard": {"interval_ms": 10, "top": 100}}
    return await start(send_buffer=SMALL, limits=limits, namespaces=namespaces)


async def unread(server: Server) -> tuple[Client, RawSocket, int]:
    """A client that reads, one that has left a megabyte of snapshots unread, and the board's version."""
    witness = await server.client()
    players = [
        {"player": f"p{number}", "score": number, "meta": {"text": "x" * 1000}}
        for number in range(100)
    ]
    batches = (players[start : start + 5] for start in range(0, 100, 5))
    await witness.publish_all(witness.publication(BOARD, *batch) for batch in batches)
    board = await witness.subscribe(BOARD, view={"top": 1})
    stuck = await server.raw(receive_buffer=SMALL)
    await stuck.subscribe(BOARD)
    version = 0
    for score in range(1000, 1010):
        answer = await witness.publish(BOARD, {"player": "p0", "score": score}, results=True)
        version = answer["results"][0]["version"]
        await witness.snapshot(board, version=version)
    return witness, stuck, version


# -- the last frames ---------------------------------------------------------------------------------------------------


async def test_a_change_that_waits_for_its_beat_is_the_last_snapshot(slow: Server) -> None:
    client, publisher = await slow.client(), await slow.client()
    board = await client.subscribe(BOARD)
    await client.snapshot(board, version=0)
    for score in (1, 2, 3):
        await publisher.publish(BOARD, {"player": "ann", "score": score})
    await client.alive()
    assert 3 not in versions(client, board), "it waits"

    await slow.stop()
    assert await client.closed() == 1012
    last = json.loads(events(client, board)[-1])
    assert last["version"] == 3
    assert last["rows"] == [{"rank": 1, "position": 1, "player": "ann", "score": 3}]


async def test_every_view_of_every_subscriber_ends_with_the_newest(slow: Server) -> None:
    publisher = await slow.client()
    watching: list[tuple[Client, str]] = []
    for top in range(1, 11):
        client = await slow.client(VIEWER)
        watching.append((client, await client.subscribe(BOARD, view={"top": top})))
        watching.append((client, await client.subscribe("/leaderboard/*", view={"top": top})))
        watching.append((client, await client.subscribe(BOARD, view={"around": "ann"})))
    for score in range(1, 6):
        await publisher.publish(BOARD, {"player": "ann", "score": score})

    await slow.stop()
    for client, id_ in watching:
        assert await client.closed() == 1012
        assert versions(client, id_)[-1] == 5


async def test_what_was_acknowledged_to_the_last_moment_is_in_the_last_snapshot(
    start: Start,
) -> None:
    server = await start(limits={"publishes_per_second": 0})
    publisher, watcher = await server.client(), await server.client()
    board = await watcher.subscribe(BOARD)
    stopping: asyncio.Future[None] | None = None
    sent = 0
    with contextlib.suppress(websockets.ConnectionClosed):
        while sent < 20_000:
            event = {"player": "ann", "score": sent + 1}
            await publisher.send(**publisher.publication(BOARD, event))
            sent += 1
            if sent == 200:
                stopping = asyncio.ensure_future(server.stop())
            if sent % 10 == 0:
                await asyncio.sleep(0)
    assert await publisher.closed() == 1012
    assert await watcher.closed() == 1012
    acknowledged = sum(frame["type"] == "publish_success" for frame in publisher.frames)
    assert acknowledged >= 200
    assert versions(watcher, board)[-1] >= acknowledged
    assert stopping is not None
    await stopping


async def test_events_that_are_not_conflated_are_all_delivered(slow: Server) -> None:
    client, publisher = await slow.client(), await slow.client()
    chat = await client.subscribe(CHAT)
    raw = await client.subscribe(BOARD, view="events")
    texts = [json.dumps({"player": "ann", "score": score}) for score in range(5)]
    await publisher.publish(CHAT, *texts)
    await publisher.publish(BOARD, *texts)

    await slow.stop()
    assert await client.closed() == 1012
    assert events(client, chat) == texts
    assert events(client, raw) == texts


async def test_all_are_told_to_come_back(server: Server) -> None:
    viewer, host, idle = await server.client(VIEWER), await server.client(HOST), await server.raw()
    silent = await server.client(init=False)
    await viewer.subscribe(BOARD)
    await host.subscribe(CHAT)
    stopping = asyncio.ensure_future(server.stop())
    assert (await idle.until_closed())[1] == 1012
    idle.close()
    for client in (viewer, host, silent):
        assert await client.closed() == 1012
    await stopping


async def test_each_is_told_another_time_to_come_back(server: Server) -> None:
    clients = [await server.client(VIEWER) for _ in range(40)]
    await server.stop()
    times = []
    for client in clients:
        assert await client.closed() == 1012
        start, _, rest = (client.socket.close_reason or "").partition("come back in ")
        assert start == "the server restarts, "
        times.append(float(rest.removesuffix(" s")))
    for place, time in enumerate(sorted(times)):  # each has its turn; they are told in milliseconds
        assert place * 0.005 - 0.001 <= time <= (place + 1) * 0.005 + 0.001


# -- meanwhile and afterwards ------------------------------------------------------------------------------------------


async def test_a_server_that_drains_is_not_ready_and_takes_nobody_in(narrow: Server) -> None:
    http = await narrow.http()
    assert (await http.get("/readyz")).status_code == 200
    witness, stuck, _ = await unread(narrow)  # draws the drain out
    stopping = asyncio.ensure_future(narrow.stop())
    assert await witness.closed() == 1012

    answer = await http.get("/readyz")  # over the connection that is there
    assert answer.status_code == 503
    assert answer.json() == {"status": "draining"}
    assert (await http.get("/healthz")).status_code == 200
    with pytest.raises(ConnectionRefusedError):
        await narrow.raw()
    assert not stopping.done()

    stuck.close()
    await stopping
    async with httpx.AsyncClient() as late:
        with pytest.raises(httpx.ConnectError):
            await late.get(f"{narrow.url}/healthz")


@pytest.mark.parametrize(("upgrade", "answer"), [("", b"200"), ("websocket", b"503")])
async def test_who_was_let_in_at_the_last_moment_is_answered(
    server: Server, upgrade: str, answer: bytes
) -> None:
    idle, late = [await RawSocket.bare(server.port) for _ in range(2)]
    lines = ["GET /healthz HTTP/1.1", f"host: 127.0.0.1:{server.port}"]
    await idle.write("\r\n".join([*lines, "", ""]).encode())
    await idle.until(b"\r\n\r\n")
    stopping = asyncio.ensure_future(server.stop())
    await idle.until_eof()  # connections are being closed
    assert not stopping.done()

    lines += ["connection: upgrade", f"upgrade: {upgrade}"] if upgrade else []
    await late.write("\r\n".join([*lines, "", ""]).encode())
    assert (await late.until_eof()).startswith(b"HTTP/1.1 " + answer)
    await stopping
    for each in (idle, late):
        each.close()


async def test_who_says_nothing_does_not_hold_the_end_up(server: Server) -> None:
    silent = await RawSocket.bare(server.port)
    await (await server.http()).get("/healthz")  # it has been let in
    await server.stop()
    assert await silent.until_eof() == b""
    silent.close()


async def test_a_server_without_connections_ends_at_once(server: Server) -> None:
    await (await server.client()).socket.close()
    http = await server.http()

    async def gone() -> bool:
        return "\nleaderboard_active_connections 0.0\n" in (await http.get("/metrics")).text

    await eventually(gone)
    async with asyncio.timeout(2):  # less than connections are given
        await server.stop()


async def test_the_next_server_takes_the_same_port_and_knows_nothing(start: Start) -> None:
    first = await start()
    client = await first.client()
    await client.publish(BOARD, {"player": "ann", "score": 1})
    before = await client.look(BOARD)
    await first.stop()
    assert await client.closed() == 1012

    second = await start(port=first.port)
    assert second.port == first.port
    client = await second.client()
    assert (await client.look(BOARD))["total"] == 0
    await client.publish(BOARD, {"player": "bob", "score": 2})
    after = await client.look(BOARD)
    assert [row["player"] for row in after["rows"]] == ["bob"]
    assert after["epoch"] != before["epoch"], "its versions are not the first one's"


# -- those who do not read ---------------------------------------------------------------------------------------------


async def test_a_client_that_never_reads_does_not_hold_the_end_up(narrow: Server) -> None:
    witness, _, version = await unread(narrow)
    board = await witness.subscribe(BOARD, view={"top": 1})
    await witness.snapshot(board, version=version)
    await witness.publish(BOARD, {"player": "p0", "score": 2000})
    began = asyncio.get_running_loop().time()
    await narrow.stop()
    assert asyncio.get_running_loop().time() - began < PROMISED + 2  # the machine may be busy
    assert await witness.closed() == 1012
    assert versions(witness, board)[-1] == version + 1, "the others end as they should"
