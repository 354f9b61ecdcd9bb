"""Clients that never come to the point: a request, an upgrade or a frame without an end. Each is given up."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio

from leaderboard.doorway import AHEAD
from leaderboard.patience import Unfinished
from tests.appsync import Client, eventually
from tests.conftest import ADMIN, Server, Start, running
from tests.rawsocket import CONTINUATION, TEXT, RawSocket, frame

SMALL = 4096
TIME = 0.3
"""Seconds that a request, a frame and a reader have."""
PUBLISH = b"POST /event HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{"

BEGINNINGS = {
    "nothing": b"",
    "half a request line": b"GET /heal",
    "a head that does not end": b"GET /healthz HTTP/1.1\r\nhost: a\r\n",
    "an upgrade that does not end": b"GET /event/realtime HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n",
    "a body that does not end": PUBLISH,
    "another request behind one": b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\nGET /he",
}


together = pytest.mark.asyncio(loop_scope="module")
"""Of tests that share the `shared` server."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["direct", "plain"])
async def module_server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """One that soon gives up who does not come to the point."""
    limits = {"request": TIME, "stuck": TIME, "publishes_per_second": 0}
    async with running(
        plain_asgi=request.param == "plain",
        send_buffer=SMALL,
        limits=limits,
        namespaces={"leaderboard": {"interval_ms": 10, "top": 100}},
    ) as server:
        yield server


PARTS = (
    frame(b"{}", length=70_000),
    frame(b"{", fin=False),
    frame(b"{", fin=False) + frame(b"", CONTINUATION, fin=False),
)
"""Half a frame, half a message, and a message of which fragments come."""
CHUNKED = b"POST /event HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"
HEADS = {
    "a path": b"GET /",
    "a header": b"GET / HTTP/1.1\r\nhost: ",
    "headers": b"GET / HTTP/1.1\r\n",
    "what may stand beside a chunk's size": CHUNKED + b"1;",
    "a trailer": CHUNKED + b"0\r\nx: ",
    "trailers": CHUNKED + b"0\r\n",
}
"""All to go on for ever."""


@asynccontextmanager
async def bare(server: Server, **options: int) -> AsyncIterator[RawSocket]:
    raw = await RawSocket.bare(server.port, **options)
    try:
        yield raw
    finally:
        raw.close()


async def fill(publisher: Client, board: str) -> None:
    """A board of a hundred thousand bytes."""
    players = [
        {"player": f"p{number}", "score": number, "meta": {"text": "x" * 1000}}
        for number in range(100)
    ]
    batches = (players[start : start + 5] for start in range(0, 100, 5))
    await publisher.publish_all(publisher.publication(board, *batch) for batch in batches)


@together
async def test_a_request_that_does_not_end_is_given_up(shared: Server) -> None:
    async def begun(beginning: bytes) -> bytes:
        async with bare(shared) as raw:
            await raw.write(beginning)
            return await raw.until_eof()

    answers = await asyncio.gather(*map(begun, BEGINNINGS.values()))
    for name, answer in zip(BEGINNINGS, answers, strict=True):
        assert b"HTTP/1.1 408 Request Timeout\r\n" in answer, name
        assert (b" 200 OK" in answer) is (name == "another request behind one"), name


@together
async def test_a_request_that_comes_a_byte_at_a_time_has_no_more_time(shared: Server) -> None:
    async with bare(shared) as raw:
        await raw.write(b"GET /")
        ended = asyncio.create_task(raw.until_eof())
        with contextlib.suppress(ConnectionError):
            while not ended.done():
                await raw.write(b"x")
                await asyncio.sleep(0.02)
        assert b" 408 " in await ended


@together
async def test_each_request_of_a_connection_has_its_own_time(shared: Server) -> None:
    http = await shared.http()
    for _ in range(2):
        assert (await http.get("/healthz")).status_code == 200
        await asyncio.sleep(TIME * 2 / 3)
    assert (await http.get("/healthz")).status_code == 200


async def test_a_head_without_end_is_refused(start: Start) -> None:
    server = await start()  # with all the time that it could take

    async def sent(endless: bytes) -> bytes:
        async with bare(server) as raw:
            await raw.write(endless)
            more = b"x: y\r\n" * 4000 if endless.endswith(b"\n") else b"x" * 24_000
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    await raw.write(more)
                    await asyncio.sleep(0)
            return await raw.until_eof()  # which ends: it was not read on

    answers = await asyncio.gather(*map(sent, HEADS.values()))
    for name, answer in zip(HEADS, answers, strict=True):
        assert answer == b"" or b" 431 " in answer, f"{name}: a reset may overtake the answer"
    assert (await (await server.http()).get("/healthz")).status_code == 200


async def test_few_requests_wait_behind_the_one_that_is_answered(start: Start) -> None:
    server = await start()
    request = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"
    async with bare(server) as raw:
        await raw.write(request * 10)
        for _ in range(10):
            await raw.until(b'{"status":"ok"}')
        await raw.write(request * 5000)
        answer = await raw.until_eof()
    assert answer.count(b" 200 OK") <= AHEAD + 1
    assert (await (await server.http()).get("/healthz")).status_code == 200


@together
async def test_an_answer_that_nobody_takes_is_given_up(shared: Server, board: str) -> None:
    await fill(await shared.client(), board)
    async with bare(shared, receive_buffer=SMALL) as raw:
        await raw.write(f"GET /api/boards{board}.jsonl HTTP/1.1\r\nhost: a\r\n\r\n".encode())
        await asyncio.sleep(TIME * 2)
        assert len(await raw.until_eof()) < 100_000, "it was not kept for the client to come back"


# -- frames ------------------------------------------------------------------------------------------------------------


@together
async def test_a_frame_that_does_not_end_closes_1013(shared: Server) -> None:
    async def begun(part: bytes) -> int:
        raw = await shared.raw()
        await raw.write(part)
        return (await raw.until_closed())[1]

    assert await asyncio.gather(*map(begun, PARTS)) == [1013] * len(PARTS)
    assert await (await shared.client()).alive()


async def test_frames_that_end_have_all_the_time_they_need(start: Start) -> None:
    """The next frame has always begun when one ends, for longer than one may take."""
    server = await start(limits={"request": 0.5})
    raw = await server.raw()
    text = json.dumps({"type": "unsubscribe", "id": "x", "padding": "y" * 2000}).encode()
    stream = frame(text) * 10
    cut = len(frame(text)) // 2
    await raw.write(stream[:cut])
    for _ in range(7):
        await asyncio.sleep(0.1)
        await raw.write(stream[cut:] + stream[:cut])
        for _ in range(10):
            assert (await raw.receive())["type"] == "unsubscribe_error"


async def test_frames_in_part_have_a_ceiling_over_all_connections(start: Start) -> None:
    server = await start(limits={"unfinished": "300KiB"})
    part = frame(b"x" * 100_000, length=200_000)
    raws = [await server.raw() for _ in range(4)]
    for raw in raws[:3]:
        await raw.write(part)
    witness = await server.client()
    assert await witness.alive()
    await raws[3].write(part)
    assert (await raws[3].until_closed())[1] == 1013
    # what is short is taken from anybody, and once the parts are gone there is room again
    small = await server.raw()
    await small.write(frame(b'{"type":"conn')[:-5])
    await small.write(b'"conn')
    for raw in raws:
        raw.close()
    large = await server.raw()
    text = json.dumps({"type": "unsubscribe", "id": "x", "padding": "y" * 250_000}).encode()

    async def room() -> bool:
        return len(server.app.state.realtime) == 3

    await eventually(room)
    await large.write(frame(text))
    assert (await large.receive())["type"] == "unsubscribe_error"


async def test_bodies_in_part_have_the_same_ceiling(start: Start) -> None:
    server = await start(limits={"unfinished": "300KiB"})
    http = await server.http(ADMIN)
    held: Unfinished = server.app.state.unfinished
    async with AsyncExitStack() as stack:
        raws = [await stack.enter_async_context(bare(server)) for _ in range(4)]
        head = b"POST /event HTTP/1.1\r\nhost: a\r\ncontent-length: 200000\r\n\r\n"
        for raw in raws[:3]:
            await raw.write(head + b"x" * 100_000)

        async def taken() -> bool:
            return held.held >= 300_000

        await eventually(taken)
        await raws[3].write(head + b"x" * 100_000)
        refused = await raws[3].until(b"\r\n\r\n")
        assert refused.startswith(b"HTTP/1.1 429 ")
        assert b"\r\nretry-after: 1\r\n" in refused
        # what is short is taken from anybody, and once the parts are gone there is room again
        published = {"channel": "/default/x", "events": ['"short"']}
        assert (await http.post("/event", json=published)).status_code == 200

    async def room() -> bool:
        return held.held == 0

    await eventually(room)
    published = {"channel": "/default/x", "events": [json.dumps("y" * 200_000)]}
    assert (await http.post("/event", json=published)).status_code == 200
    assert held.held == 0


async def test_a_message_in_very_many_fragments_is_one_message(start: Start) -> None:
    server = await start()
    raw = await server.raw()
    text = json.dumps({"type": "unsubscribe", "id": "x"}).encode()
    parts = [frame(b"", CONTINUATION, fin=False)] * 20_000
    parts += [frame(bytes([byte]), CONTINUATION, fin=False) for byte in text]
    await raw.write(frame(b"", TEXT, fin=False) + b"".join(parts) + frame(b"", CONTINUATION))
    assert (await raw.receive())["type"] == "unsubscribe_error"


# -- those who do not read ---------------------------------------------------------------------------------------------


@together
async def test_who_reads_nothing_for_too_long_is_closed_1013(shared: Server, board: str) -> None:
    publisher = await shared.client()
    stuck = await shared.raw(receive_buffer=SMALL)
    await stuck.subscribe(board)
    await fill(publisher, board)

    async def given_up() -> bool:
        await publisher.publish(board, {"player": "p1", "score": 1000})
        doors = shared.app.state.realtime._connections
        return any(door.close_code == 1013 for door in doors)

    await eventually(given_up)
    assert (await stuck.until_closed())[1] == 1013
    assert await publisher.alive()
