"""Clients that do not read: they miss snapshots, lose their connection or are not read from. Nobody else notices."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack
from functools import partial

import pytest

from tests.appsync import Client, Frame, Snapshot, eventually
from tests.conftest import VIEWER, Server, Start
from tests.rawsocket import CLOSE, PING, PONG, RawSocket, frame

BOARD = "/leaderboard/arcade"
CHAT = "/default/chat"
SMALL = 4096
"""Bytes that the kernel holds for either side: little, so that a client that does not read is felt soon."""
UNLIMITED = {"publishes_per_second": 0}


def snapshot(data: Frame) -> Snapshot:
    assert data["type"] == "data"
    return dict(json.loads(data["event"]))


async def connections(server: Server) -> int:
    http = await server.http()
    lines = (await http.get("/metrics")).text.splitlines()
    value = next(line for line in lines if line.startswith("leaderboard_active_connections "))
    return int(float(value.split()[1]))


async def big_board(client: Client, channel: str = BOARD) -> None:
    """A board of which a hundred rows make a snapshot of more than 100 kB: more than the server lets wait."""
    events = [
        {"player": f"p{number}", "score": number, "meta": {"text": "x" * 1000}}
        for number in range(100)
    ]
    batches = (events[start : start + 5] for start in range(0, 100, 5))
    await client.publish_all(client.publication(channel, *batch) for batch in batches)


@pytest.fixture
async def server(start: Start) -> Server:
    namespaces = {
        "leaderboard": {"interval_ms": 10, "top": 100, "events": True},
        "default": {"kind": "relay"},
    }
    limits = {**UNLIMITED, "subscriptions_backlog": "128KiB"}
    return await start(send_buffer=SMALL, limits=limits, namespaces=namespaces)


async def changes(
    publisher: Client, witness: Client, board: str, count: int, channel: str = BOARD
) -> int:
    """Change a board so often that the witness has seen each change; the last version."""
    version = 0
    for number in range(count):
        event = {"player": "p0", "score": 1000 + number}
        answer = await publisher.publish(channel, event, results=True)
        version = answer["results"][0]["version"]
        await witness.snapshot(board, version=version)
    return version


# -- snapshots ---------------------------------------------------------------------------------------------------------


async def test_who_does_not_read_is_kept_no_snapshots_and_then_gets_the_newest(
    server: Server,
) -> None:
    publisher, witness = await server.client(), await server.client()
    await big_board(publisher)
    board = await witness.subscribe(BOARD, view={"top": 1})
    stuck = await server.raw(receive_buffer=SMALL)
    await stuck.subscribe(BOARD)
    last = await changes(publisher, witness, board, 200)  # 20 MB of snapshots

    kept = [snapshot(await stuck.receive())]
    while kept[-1]["version"] < last:
        kept.append(snapshot(await stuck.receive()))
    # On its way when the client stopped reading: one in the socket, one behind it. What was missed has left no trace
    # but a number.
    assert len(kept) <= 4
    skipped = kept[-1]["skipped"]
    assert 190 <= skipped <= 200
    assert len(kept[-1]["rows"]) == 100

    # it reads on, so it misses nothing more
    await publisher.publish(BOARD, {"player": "p1", "score": 5000})
    following = snapshot(await stuck.receive())
    assert following["version"] == last + 1
    assert "skipped" not in following


async def test_who_does_not_read_gets_the_newest_of_each_board_below_a_wildcard(
    server: Server,
) -> None:
    publisher, witness = await server.client(), await server.client()
    channels = [f"/leaderboard/rooms/{number}" for number in range(3)]
    boards = []
    for channel in channels:
        await big_board(publisher, channel)
        boards.append(await witness.subscribe(channel, view={"top": 1}))
    stuck = await server.raw(receive_buffer=SMALL)
    await stuck.subscribe("/leaderboard/rooms/*")
    last = {}
    for channel, board in zip(channels, boards, strict=True):
        last[channel] = await changes(publisher, witness, board, 50, channel)

    newest: dict[str, int] = {}
    kept: list[Snapshot] = []
    while newest != last:
        kept.append(snapshot(await stuck.receive()))
        newest[kept[-1]["channel"]] = kept[-1]["version"]
    assert len(kept) <= 7, "two or three on their way, and then one of each board"


async def test_skipped_snapshots_are_counted(server: Server) -> None:
    publisher, witness = await server.client(), await server.client()
    await big_board(publisher)
    board = await witness.subscribe(BOARD, view={"top": 1})
    stuck = await server.raw(receive_buffer=SMALL)
    await stuck.subscribe(BOARD)
    await changes(publisher, witness, board, 20)
    lines = (await (await server.http()).get("/metrics")).text.splitlines()
    metric = 'leaderboard_skipped_snapshots_total{namespace="leaderboard"} '
    value = next(line for line in lines if line.startswith(metric))
    assert 10 <= float(value.removeprefix(metric)) <= 20


# -- events that are not conflated -------------------------------------------------------------------------------------


async def chatter(publisher: Client, chat: str, count: int) -> list[str]:
    """Publish events of about 10 kB, each when the publisher has had the one before; their texts."""
    texts = [json.dumps([number, "x" * 10_000]) for number in range(count)]
    for text in texts:
        await publisher.publish(CHAT, text)
        assert (await publisher.expect("data", id=chat))["event"] == text
    return texts


async def test_who_leaves_a_few_events_unread_gets_them_later(server: Server) -> None:
    publisher = await server.client()
    chat = await publisher.subscribe(CHAT)
    slow = await server.raw(receive_buffer=SMALL)
    await slow.subscribe(CHAT)
    texts = await chatter(publisher, chat, 10)  # less than the backlog
    assert [(await slow.receive())["event"] for _ in texts] == texts


async def test_who_leaves_too_many_events_unread_is_closed_and_nobody_else(server: Server) -> None:
    publisher = await server.client()
    chat = await publisher.subscribe(CHAT)
    stuck = await server.raw(receive_buffer=SMALL)
    await stuck.subscribe(CHAT)
    texts = await chatter(publisher, chat, 100)
    frames, code = await stuck.until_closed()
    assert code == 1013
    told = [data["event"] for data in frames]
    assert told == texts[: len(told)], "in order, none left out before the end"
    assert len(told) < 30
    assert await publisher.alive()


async def test_who_leaves_too_many_raw_events_of_a_board_unread_is_closed(server: Server) -> None:
    publisher, witness = await server.client(), await server.client()
    board = await witness.subscribe(BOARD)
    stuck = await server.raw(receive_buffer=SMALL)
    await stuck.subscribe(BOARD, view="events")
    for number in range(100):
        event = {"player": "ann", "score": number + 1, "padding": "x" * 10_000}
        await publisher.publish(BOARD, event)
    await witness.snapshot(board, version=100)
    assert (await stuck.until_closed())[1] == 1013


async def test_who_is_closed_and_goes_on_not_reading_holds_no_place(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.patience.LINGER", 0.2)
    publisher = await server.client()
    chat = await publisher.subscribe(CHAT)
    stuck = await server.raw(receive_buffer=SMALL)
    await stuck.subscribe(CHAT)
    assert await connections(server) == 2
    await chatter(publisher, chat, 100)

    async def let_go() -> bool:
        return await connections(server) == 1

    async def cut_off() -> bool:
        try:
            stuck.takes(frame(b"", PING))
        except ConnectionError:
            return True
        return False

    await eventually(let_go)
    await eventually(cut_off)
    assert await publisher.alive()


async def test_whoever_goes_without_reading_the_rest_is_let_go(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.patience.LINGER", 0.2)
    limits = {**UNLIMITED, "stuck": 0.5, "keep_alive": 5}
    server = await start(send_buffer=SMALL, pings=0.5, limits=limits)
    publisher = await server.client()
    chat = await publisher.subscribe(CHAT)
    stuck = [await server.raw(receive_buffer=SMALL) for _ in range(4)]
    for each in stuck:
        await each.subscribe(CHAT)
    await chatter(publisher, chat, 10)  # more than the kernel holds, too little to be closed for
    assert await connections(server) == 5
    closing, half_closing, breaking, _ = stuck  # the last one leaves a ping unanswered
    await closing.write(frame(b"\x03\xe8", CLOSE))
    half_closing.half_close()
    await breaking.write(frame(b"\xff"))

    async def let_go() -> bool:
        return await connections(server) == 1

    await eventually(let_go)
    assert await publisher.alive()


async def test_who_reads_nothing_has_the_time_of_the_stuck_and_not_that_of_a_ping(
    start: Start,
) -> None:
    limits = {**UNLIMITED, "stuck": 2.5, "keep_alive": 5}
    namespaces = {"leaderboard": {"interval_ms": 10, "top": 100}}
    server = await start(send_buffer=SMALL, pings=0.5, limits=limits, namespaces=namespaces)
    publisher = await server.client()
    await big_board(publisher)
    stuck = await server.raw(receive_buffer=SMALL)
    await stuck.subscribe(BOARD)
    began = time.monotonic()

    async def given_up() -> bool:
        await publisher.publish(BOARD, {"player": "p1", "score": time.monotonic()})
        doors = server.app.state.realtime._connections
        return len(doors) < 2 or any(door.close_code for door in doors)

    while time.monotonic() - began < 1.3:  # a ping and the time for its answer
        assert not await given_up()
        await asyncio.sleep(0.02)
    await eventually(given_up)
    assert (await stuck.until_closed())[1] == 1013


# -- those who do not read their answers -------------------------------------------------------------------------------

PLENTY = 16 * 1024**2
"""More than all buffers of a connection hold together."""


async def sent_until_refused(stuck: RawSocket, data: bytes) -> int:
    """Send again and again until the server has stopped reading, or has taken plenty; the bytes that it took."""
    taken, unsent, still = 0, b"", 0

    async def refused() -> bool:
        nonlocal taken, unsent, still
        while taken < PLENTY and (count := stuck.takes(unsent or data)):
            taken += count
            unsent = (unsent or data)[count:]
            still = 0
            await asyncio.sleep(0)
        still += 1
        return taken >= PLENTY or still == 25  # half a second in which nothing moved

    await eventually(refused)
    stuck.unsent = unsent
    return taken


async def test_who_publishes_without_reading_the_answers_is_not_read_from(server: Server) -> None:
    witness = await server.client()
    stuck = await server.raw(receive_buffer=SMALL)
    events = [{"player": f"p{number}", "score": 1} for number in range(5)]
    publication = witness.publication(BOARD, *events, results=True)
    assert await sent_until_refused(stuck, frame(json.dumps(publication).encode())) < PLENTY
    # the others are served as ever
    board = await witness.subscribe(BOARD)
    await witness.publish(BOARD, {"player": "ann", "score": 9})
    await witness.snapshot(board, total=6)
    # and so is this one, once it reads
    for _ in range(100):
        assert (await stuck.receive())["type"] == "publish_success"


async def test_a_flood_of_frames_keeps_nobody_else_waiting(server: Server) -> None:
    witness, flooder = await server.client(), await server.raw(VIEWER)
    served, flood = server.app.state.broker.metrics.counter("InboundMessages"), 5000
    await flooder.write(frame(b"x") * flood)
    before = served.value
    for score in (1, 2):
        await witness.publish(BOARD, {"player": "ann", "score": score})
    assert served.value - before < flood / 2, "these came before most of what had come before them"
    for _ in range(flood):
        assert (await flooder.receive())["type"] == "error"


async def test_files_that_nobody_takes_are_few(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.exports.MOST", 2)
    for module in ("exports", "boards"):
        monkeypatch.setattr(f"leaderboard.{module}.PAGE", 10)
    await big_board(await server.client())
    http, under_way = await server.http(), server.app.state.exports
    ask = f"GET /api/boards{BOARD}.jsonl HTTP/1.1\r\nhost: a\r\n\r\n".encode()

    async def stuck(count: int) -> bool:
        return len(under_way) == count

    with ExitStack() as readers:
        for _ in range(2):
            reader = await RawSocket.bare(server.port, receive_buffer=SMALL)
            readers.callback(reader.close)
            await reader.write(ask)
        await eventually(partial(stuck, 2))
        refused = await http.get(f"/api/boards{BOARD}.csv")
    assert (refused.status_code, refused.headers.get("retry-after")) == (429, "5")
    await eventually(partial(stuck, 0))
    assert len((await http.get(f"/api/boards{BOARD}.jsonl")).text.splitlines()) == 100


async def test_pongs_do_not_pile_up_unread(server: Server) -> None:
    stuck = await server.raw(receive_buffer=SMALL)
    taken = await sent_until_refused(stuck, frame(b"x" * 125, PING) * 100)

    async def go_on() -> None:
        await stuck.write(stuck.unsent)
        await stuck.send(type="connection_init")

    going_on = asyncio.create_task(go_on())  # it may be read only when the pongs are
    pongs = 0
    while (received := await stuck.receive_frame())[0] == PONG:
        pongs += len(received[1])
    assert json.loads(received[1])["type"] == "connection_ack"
    assert taken < PLENTY or pongs < 1024**2, "it is not read from, or it is not answered"
    await going_on
