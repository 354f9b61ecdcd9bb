"""The fast door is exactly as strict as the library behind it, keeps the order, and notices when its ground moves."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side
from websockets.streams import StreamReader

from leaderboard.direct import EXTENSION, PIECE, TURN, DirectProtocol
from leaderboard.errors import Close
from leaderboard.patience import PatientProtocol

LIMIT = 70_000
"""Largest frame in these tests: just over what a two-byte length can say."""

HANDSHAKE = (
    b"GET /event/realtime HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Transport(asyncio.Transport):
    """A socket that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.reading = True
        self.ended = ""

    def write(self, data: Any) -> None:
        if not self.ended:
            self.written += data

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = self.ended or "aborted"

    def is_closing(self) -> bool:
        return bool(self.ended)

    def pause_reading(self) -> None:
        assert self.reading, "paused twice"
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading, "resumed twice"
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


class Recorder:
    """A session that answers each text with its length, and may be told to be busy after some messages."""

    def __init__(self, door: DirectProtocol, busy_after: int | None = None) -> None:
        self.door = door
        self.busy = False
        self.came: list[str | None] = []
        self.over = False
        self._busy_after = busy_after

    def receive(self, text: str) -> None:
        assert not self.busy, "a busy session was handed a message"
        self.came.append(text)
        self.door.send_text(str(len(text)).encode())
        self.busy = self._busy_after is not None and len(self.came) % self._busy_after == 0

    def receive_binary(self) -> None:
        assert not self.busy
        self.came.append(None)

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def closed(self) -> None:
        self.over = True


class LibraryOnly(DirectProtocol):
    """The same door with its fast path taken out: what the library makes of the bytes."""

    def _plain_frames(self, data: bytes) -> bytes:
        return data


Opened = tuple[DirectProtocol, Transport, Recorder]


async def app(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    door = scope["extensions"][EXTENSION]
    door.attach(door.recorder, lambda: None)


CONFIG = uvicorn.Config(
    app,
    ws_max_size=LIMIT,
    ws_per_message_deflate=False,
    ws_ping_interval=None,
    log_level="critical",
)
CONFIG.load()


async def opened(kind: type[DirectProtocol], busy_after: int | None = None) -> Opened:
    """A connection with a session behind it."""
    door, transport = kind(CONFIG, ServerState(), {}), Transport()
    session = Recorder(door, busy_after)
    cast(Any, door).recorder = session
    door.connection_made(transport)
    door.data_received(HANDSHAKE)
    while door.tasks:  # noqa: ASYNC110, uvicorn has no such event
        await asyncio.sleep(0)
    transport.written = b""
    return door, transport, session


def masked(opcode: int, data: bytes, *, fin: bool = True, **bits: bool) -> bytes:
    """A client's frame, whatever its contents."""
    frame = Frame(Opcode(opcode), data, fin)
    raw = (
        bytearray(frame.serialize(mask=True))
        if frame_is_legal(frame)
        else bytearray(illegal(frame))
    )
    for place, name in ((0x40, "rsv1"), (0x20, "rsv2"), (0x10, "rsv3")):
        if bits.get(name):
            raw[0] |= place
    return bytes(raw)


def frame_is_legal(frame: Frame) -> bool:
    return frame.opcode < 8 or (len(frame.data) <= 125 and frame.fin)


def illegal(frame: Frame) -> bytes:
    """A control frame that the library would not write."""
    length = bytes((0x80 | 126,)) + len(frame.data).to_bytes(2, "big")
    if len(frame.data) <= 125:
        length = bytes((0x80 | len(frame.data),))
    return (
        bytes((frame.opcode | (0x80 if frame.fin else 0),)) + length + bytes(4) + bytes(frame.data)
    )


TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
HELLO = masked(TEXT, b'{"type":"connection_init"}')

STREAMS = {
    "one text": HELLO,
    "three texts": HELLO + masked(TEXT, b"two") + masked(TEXT, "drei \N{SNOWMAN}".encode()),
    "an empty text": masked(TEXT, b"") + HELLO,
    "a text of 126 bytes": masked(TEXT, b"x" * 126) + HELLO,
    "a text with a needlessly long length": bytes((0x81, 0xFE, 0, 3)) + bytes(4) + b"abc" + HELLO,
    "fragments": masked(TEXT, b"one ", fin=False) + masked(CONT, b"two") + HELLO,
    "fragments with a ping inside": masked(TEXT, b"a", fin=False)
    + masked(PING, b"p")
    + masked(CONT, b"b")
    + HELLO,
    "a text inside fragments": masked(TEXT, b"a", fin=False) + HELLO,
    "a continuation of nothing": masked(CONT, b"a") + HELLO,
    "UTF-8 split over fragments": masked(TEXT, b"\xe2\x98", fin=False)
    + masked(CONT, b"\x83")
    + HELLO,
    "binary": masked(BINARY, b"\x00\x01") + HELLO,
    "ping": HELLO + masked(PING, b"are you there") + HELLO,
    "pong": masked(PONG, b"") + HELLO,
    "unmasked": Frame(Opcode.TEXT, b"no mask").serialize(mask=False) + HELLO,
    "reserved bit 1": HELLO + masked(TEXT, b"a", rsv1=True) + HELLO,
    "reserved bit 2": masked(TEXT, b"a", rsv2=True) + HELLO,
    "reserved bit 3": masked(TEXT, b"a", rsv3=True) + HELLO,
    "an unknown opcode": bytes((0x83, 0x80, 0, 0, 0, 0)) + HELLO,
    "invalid UTF-8": HELLO + masked(TEXT, b"\xff\xfe") + HELLO,
    "invalid UTF-8, then a close": masked(TEXT, b"\xff") + masked(CLOSE, b"\x03\xe8"),
    "invalid UTF-8, then a fault": masked(TEXT, b"\xff") + masked(TEXT, b"a", rsv2=True),
    "a ping, a text, then a fault": masked(PING, b"p") + HELLO + masked(TEXT, b"a", rsv2=True),
    "a surrogate in UTF-8": masked(TEXT, b"\xed\xa0\x80") + HELLO,
    "a fragmented ping": masked(PING, b"a", fin=False) + HELLO,
    "a ping that is too long": masked(PING, b"a" * 126) + HELLO,
    "close": HELLO + masked(CLOSE, b"\x03\xe8bye"),
    "close, then more": masked(CLOSE, b"\x03\xe8") + HELLO,
    "close without a code": masked(CLOSE, b"") + HELLO,
    "close with half a code": masked(CLOSE, b"\x03") + HELLO,
    "close with a reserved code": masked(CLOSE, b"\x03\xed") + HELLO,
    "close inside fragments": masked(TEXT, b"a", fin=False) + masked(CLOSE, b"\x03\xe8"),
    "half a frame": HELLO + HELLO[:9],
    "half a header": HELLO + HELLO[:1],
}
LONG_STREAMS = {
    "a text of 65,536 bytes": masked(TEXT, b"y" * 65_536) + HELLO,
    "a text at the limit": masked(TEXT, b"y" * LIMIT) + HELLO,
    "a text over the limit": HELLO + masked(TEXT, b"y" * (LIMIT + 1)) + HELLO,
    "fragments over the limit": masked(TEXT, b"y" * 40_000, fin=False)
    + masked(CONT, b"y" * 40_000)
    + HELLO,
    "a length beyond all reason": bytes((0x81, 0xFF)) + b"\xff" * 8 + bytes(4) + HELLO,
}


async def seen(kind: type[DirectProtocol], chunks: list[bytes]) -> tuple[Any, ...]:
    """All that can be observed of a connection to which these chunks came."""
    door, transport, session = await opened(kind)
    for chunk in chunks:
        if transport.ended:
            break
        door.data_received(chunk)
    outcome = (session.came, transport.written, transport.ended, door.close_sent, transport.reading)
    door.connection_lost(None)
    assert session.over
    return outcome


async def assert_alike(chunks: list[bytes]) -> None:
    assert await seen(DirectProtocol, chunks) == await seen(LibraryOnly, chunks)


@pytest.mark.parametrize("name", STREAMS)
async def test_any_split_is_taken_as_the_library_takes_it(name: str) -> None:
    stream = STREAMS[name]
    await assert_alike([stream])
    await assert_alike([stream[i : i + 1] for i in range(len(stream))])
    for place in range(1, len(stream)):
        await assert_alike([stream[:place], stream[place:]])


@pytest.mark.parametrize("name", LONG_STREAMS)
async def test_long_frames_are_taken_as_the_library_takes_them(name: str) -> None:
    stream = LONG_STREAMS[name]
    await assert_alike([stream])
    for place in (1, 2, 3, 5, 9, 10, 13, 14, 15, len(stream) // 2, len(stream) - len(HELLO)):
        await assert_alike([stream[:place], stream[place:]])


def frames() -> st.SearchStrategy[bytes]:
    """Frames as a fuzzer would send them: mostly right."""
    texts = st.text(max_size=200).map(str.encode).map(lambda data: masked(TEXT, data))
    others = st.builds(
        lambda opcode, data, fin, rsv: masked(opcode, data, fin=fin, rsv1=rsv),
        st.sampled_from([TEXT, BINARY, CONT, PING, PONG, CLOSE]),
        st.binary(max_size=130),
        st.booleans(),
        st.sampled_from([False, False, False, True]),
    )
    return texts | texts | others | st.binary(min_size=1, max_size=20)


@settings(max_examples=150, deadline=None)
@given(st.lists(frames(), max_size=6), st.lists(st.integers(0, 2000), max_size=5))
def test_any_stream_in_any_chunks_is_taken_as_the_library_takes_it(
    parts: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(parts)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(places) if a < b]
    asyncio.run(assert_alike(chunks))


# -- while the session is busy -----------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 4), st.lists(st.integers(1, 400), max_size=8))
def test_a_busy_session_gets_nothing_and_later_everything_in_order(
    busy_after: int, cuts: list[int]
) -> None:
    sent = [f"message {i}" for i in range(12)]
    parts = [masked(TEXT, text.encode()) for text in sent]
    # one in fragments and one binary, so that the library's path is in it too
    parts[5] = masked(TEXT, b"message", fin=False) + masked(CONT, b" 5")
    stream = b"".join([*parts[:8], masked(BINARY, b"x"), *parts[8:]])

    async def run() -> None:
        door, transport, session = await opened(DirectProtocol, busy_after)
        places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
        chunks = [stream[a:b] for a, b in itertools.pairwise(places) if a < b]
        while chunks or session.busy:
            if chunks and transport.reading:
                door.data_received(chunks.pop(0))
            else:
                assert session.busy, "nothing is read, and nobody is busy"
                session.busy = False
                door.wake()
        assert session.came == [*sent[:8], None, *sent[8:]]
        assert transport.reading

    asyncio.run(run())


async def test_plain_frames_do_not_pass_through_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    door, _, session = await opened(DirectProtocol)
    reached: list[bytes] = []
    library = door.conn.receive_data

    def receive_data(data: bytes) -> None:
        reached.append(data)
        library(data)

    monkeypatch.setattr(door.conn, "receive_data", receive_data)
    other = masked(PING, b"p")
    for chunk in (HELLO, HELLO + HELLO[:9], HELLO[9:], other, HELLO):
        door.data_received(chunk)
    assert reached == [HELLO[:9], HELLO[9:], other]
    assert len(session.came) == 4
    door.connection_lost(None)


async def test_a_busy_session_stops_the_reading() -> None:
    door, transport, session = await opened(DirectProtocol, busy_after=1)
    door.data_received(HELLO + HELLO)
    assert len(session.came) == 1
    assert not transport.reading
    session.busy = False
    door.wake()
    assert len(session.came) == 2


# -- while others wait -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [DirectProtocol, LibraryOnly])
async def test_a_connection_is_served_a_turn_at_a_time_and_all_of_it_in_order(
    kind: type[DirectProtocol],
) -> None:
    door, transport, session = await opened(kind)
    sent = [f"{number:04}" for number in range(1000)]
    texts = [masked(TEXT, text.encode()) for text in sent]
    stream = b"".join([*texts[:500], masked(BINARY, b"x"), *texts[500:]])
    door.data_received(stream[:5000])
    turns = [len(session.came)]
    door.data_received(stream[5000:])
    assert not transport.reading
    while len(session.came) < 1001:
        await asyncio.sleep(0)
        turns.append(len(session.came))
    steps = [after - before for before, after in itertools.pairwise([0, *turns])]
    assert max(steps) <= TURN + PIECE // 6
    assert session.came == [*sent[:500], None, *sent[500:]]
    await asyncio.sleep(0)
    assert transport.reading


async def test_pings_without_end_are_answered_a_turn_at_a_time() -> None:
    door, transport, _ = await opened(DirectProtocol)
    door.data_received(masked(PING, b"") * 2000)
    assert transport.written.count(b"\x8a\x00") <= TURN + PIECE // 6
    async with asyncio.timeout(5):
        while transport.written.count(b"\x8a\x00") < 2000:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_behind_a_full_read_others_have_their_turn() -> None:
    door, transport, session = await opened(DirectProtocol)
    door.data_received(masked(TEXT, b"y" * LIMIT) * 2)
    assert len(session.came) == 2
    assert not transport.reading
    await asyncio.sleep(0)
    assert transport.reading


async def test_what_comes_before_the_answer_to_the_upgrade_waits_for_the_session() -> None:
    door, transport = DirectProtocol(CONFIG, ServerState(), {}), Transport()
    session = cast(Any, door).recorder = Recorder(door)
    door.connection_made(transport)
    door.data_received(HANDSHAKE)
    door.data_received(HELLO * 3)
    assert not transport.reading
    while door.tasks:  # noqa: ASYNC110, uvicorn has no such event
        await asyncio.sleep(0)
    assert len(session.came) == 3
    assert transport.reading


# -- writing -----------------------------------------------------------------------------------------------------------


async def test_the_answers_to_one_read_leave_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    door, transport, _ = await opened(DirectProtocol)
    writes: list[bytes] = []
    monkeypatch.setattr(transport, "write", writes.append)
    door.data_received(HELLO * 5)
    assert writes == [b"\x81\x0226" * 5]


async def test_held_frames_leave_in_one_write_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    door, transport, _ = await opened(DirectProtocol)
    writes: list[bytes] = []
    monkeypatch.setattr(transport, "write", writes.append)
    door.hold(b"\x81\x01a")
    door.send_text(b"b")
    door.hold(b"\x81\x01c")
    assert writes == []
    door.flush()
    assert writes == [b"\x81\x01a\x81\x01b\x81\x01c"]


async def test_what_is_held_leaves_before_the_close() -> None:
    door, transport, _ = await opened(DirectProtocol)
    door.hold(b"\x81\x01a")
    door.close(Close.RESTART, "x")
    assert transport.written == b"\x81\x01a\x88\x03\x03\xf4x"
    door.send_text(b"too late")
    assert transport.written.endswith(b"x")


async def test_a_client_that_does_not_answer_the_close_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    door, transport, _ = await opened(DirectProtocol)
    monkeypatch.setattr("leaderboard.patience.LINGER", 0.01)
    door.close(Close.RESTART)
    async with asyncio.timeout(5):
        while transport.ended != "aborted":  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# -- the ground it stands on -------------------------------------------------------------------------------------------


def methods(of: type) -> Iterator[str]:
    return (name for name, _ in inspect.getmembers(of, inspect.isfunction))


def test_uvicorn_still_has_what_is_overridden_and_called() -> None:
    overridden = {
        name
        for name, value in vars(DirectProtocol).items()
        if inspect.isfunction(value) and name in set(methods(WebSocketsSansIOProtocol))
    }
    overridden |= {"on_task_complete"} & set(vars(PatientProtocol))
    assert overridden == {
        "connection_lost",
        "data_received",
        "handle_close",
        "handle_connect",
        "handle_parser_exception",
        "handle_ping",
        "on_task_complete",
        "pause_writing",
        "resume_writing",
        "run_asgi",
        "send_receive_event_to_app",
        "shutdown",
    }
    called = {"handle_events", "send_500_response", "stop_keepalive", "receive", "send"}
    assert called <= set(methods(WebSocketsSansIOProtocol))


def test_the_library_still_waits_where_we_look() -> None:
    parser = cast(Any, Protocol(Side.SERVER)).parser
    assert parser.gi_yieldfrom.gi_code is StreamReader.at_eof.__code__
    assert Protocol(Side.SERVER).events == []


def test_uvicorn_still_upgrades_by_class() -> None:
    config = uvicorn.Config(lambda: None, ws=DirectProtocol)
    config.load()
    assert config.ws_protocol_class is DirectProtocol
