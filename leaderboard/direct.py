"""The fast door: uvicorn's WebSocket protocol with a session plugged in, which a frame reaches by one call.

uvicorn's own protocol, made patient (`patience`), serves the handshake and everything unusual. Once the application has
accepted a connection it finds this object in the scope's extensions under `EXTENSION` and attaches a session; the ASGI
call then returns, and what it held is let go. From there on

- a plain frame (final, text, masked, whole, valid) is unmasked and handed over by one call; every other byte goes to
  the library's parser, which is as strict as it always was;
- the answers to what one read brought leave in one write, and so do all frames that the broker holds for a beat;
- when the transport's buffer is full the session hears of it, and again when it has drained;
- while the session is busy nothing more is read; what was read already waits here, in order. So it does too when a
  connection has been served for a turn, until the others had theirs.

No task stands between, and where the session is free no queue.

It leans on the insides of uvicorn and of websockets, so both are bounded in pyproject.toml and tests/test_direct.py
fails loudly when they change. The plain door, `asgi`, does the same over any ASGI server, at half the speed.

Longer than most: all of it is one state machine between one transport, one parser and one session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import GeneratorType
from typing import Any, Protocol, cast

from uvicorn.protocols.utils import ClientDisconnected
from websockets.protocol import State
from websockets.streams import StreamReader

from leaderboard.errors import Close
from leaderboard.frames import header
from leaderboard.patience import PatientProtocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover - a platform without the compiled extension
    from websockets.utils import apply_mask

EXTENSION = "leaderboard.direct"
"""Key of the connection's `DirectProtocol` in ``scope["extensions"]``."""
HIGH_WATER = 64 * 1024
"""Bytes in the transport's buffer beyond which the connection is congested: asyncio's default."""

TURN = 32
"""Frames that one connection is served before the others have their turn: some milliseconds of the most costly ones."""
PIECE = 1024
"""Bytes that the library is given at a time, which does not stop between frames: 170 of the smallest."""
MUCH = 128 * 1024
"""Bytes of a read behind which there may be more at once: uvloop reads 256 KB, and up to 32 times in a row."""

_AT_BOUNDARY = StreamReader.at_eof.__code__
"""Where the library's parser waits between two frames."""


class Sink(Protocol):
    """What is attached to a connection: a session."""

    @property
    def busy(self) -> bool:
        """Nothing more is to be read for now."""

    def receive(self, text: str) -> None:
        """One text frame."""

    def receive_binary(self) -> None:
        """One binary frame."""

    def pause(self) -> None:
        """The transport's buffer is full."""

    def resume(self) -> None:
        """It is not any more."""

    def closed(self) -> None:
        """The connection is gone."""


class DirectProtocol(PatientProtocol):
    """One connection: uvicorn's protocol until `attach`, a `Door` with a session behind it from then on."""

    __slots__ = ("write",)

    write: Callable[[bytes], None]
    """Send what is a frame already, header and all. What that means at present (write it, hold it, drop it) is settled
    when it changes, not asked per frame; in a slot, since the fan-out reads it for thousands in a row."""

    _sink: Sink | None = None
    _unserved = b""
    """What was read and is for later."""
    _parsing = False
    """The library's parser is in the middle of something: a frame, or a message in fragments."""
    _paused = False
    """The transport does not read."""
    close_code: Close | None = None
    """The code with which this side closes, if it does."""

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not self.handshake_complete:  # else the request was no handshake, and has been answered
            extensions = cast(dict[str, object], self.scope["extensions"])
            extensions[EXTENSION] = self

    # -- attached to a session ----------------------------------------------------------------------------------------

    def attach(self, sink: Sink, ended: Callable[[], None]) -> None:
        """Hand all that comes to a session, beginning with what has already come; ``ended`` runs when it is over."""
        self._sink = sink
        self._ended = ended
        self._inbox: deque[str | None] = deque()
        self._out: list[bytes] = []
        self._corked = False
        self.write = self.transport.write
        came, self.queue = self.queue, cast(Any, None)
        self._parsing = not self._at_boundary()
        self.transport.set_write_buffer_limits(HIGH_WATER)
        while not came.empty():
            event = came.get_nowait()
            if event["type"] == "websocket.receive":
                self._inbox.append(event.get("text"))
            elif event["type"] == "websocket.disconnect" and self.disconnected:
                self._end(sink)
                return
        self._paused = self._paused or self.read_paused
        self.wake()

    @property
    def backlog(self) -> int:
        """Bytes sent that have not left."""
        return self.transport.get_write_buffer_size() + sum(map(len, self._out))

    def send_text(self, frame: bytes) -> None:
        """Send one text frame."""
        self.write(header(len(frame)) + frame)

    def _cork(self) -> None:
        """Hold all that is sent until the next `flush`."""
        self._corked = True
        self.write = self._out.append

    def hold(self, framed: bytes) -> None:
        """Keep a frame for the `flush` that the caller owes, so that several leave in one write."""
        self._cork()
        self._out.append(framed)

    def flush(self) -> None:
        """Write what is held."""
        self._corked = False
        over = self.close_sent or self.disconnected
        write = self.write = _drop if over else self.transport.write
        if self._out:
            out, self._out = self._out, []
            write(out[0] if len(out) == 1 else b"".join(out))

    def close(self, code: Close, reason: str = "") -> None:
        """Close after what was sent; a client that does not answer is cut off after `LINGER`."""
        if self.close_sent or self.transport.is_closing():
            return
        self.flush()
        self.close_code = code
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.write = _drop
        self.stop_keepalive()
        self.cut_off_later()
        self._read_on()

    def give_up(self, code: Close, reason: str) -> None:
        if not (self.close_sent or self.transport.is_closing()):
            self.close_code = code
        super().give_up(code, reason)

    def wake(self) -> None:
        """The session may be free again: go on with what came meanwhile, then with reading."""
        sink = self._sink
        if sink is None:
            return
        while self._inbox and not sink.busy:
            self._deliver(self._inbox.popleft())
        if self._unserved and not self._inbox and not sink.busy:
            held, self._unserved = self._unserved, b""
            self._take(held)
        if not (self._inbox or self._unserved or sink.busy):
            self._read_on()

    # -- the transport's calls ----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        sink = self._sink
        if sink is None:
            if self.handshake_initiated and not self.handshake_complete:
                self._unserved += data  # nobody knows yet whose it is
                self._stop_reading()
            else:
                super().data_received(data)
        elif self._unserved or self._inbox or sink.busy:
            self._unserved += data  # one read may have been under way when reading was paused
            self._stop_reading()
        else:
            self._take(data)
            if len(data) >= MUCH and not (self._paused or self.transport.is_closing()):
                self._put_off(b"")

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._sink is not None:
            self._sink.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._sink is not None:
            self._sink.resume()
            self.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            super().connection_lost(exc)
            return
        self.stop_keepalive()
        self.forget_unfinished()
        self.connections.discard(self)
        self.disconnected = True
        if self._cut_off is not None:
            self._cut_off.cancel()
        self._inbox.clear()
        self._unserved = b""
        self._out.clear()
        self.write = _drop  # an engine may answer yet what the client does not wait for any more
        self._end(sink)
        if exc is None:
            self.transport.close()

    def _end(self, sink: Sink) -> None:
        self._sink = None
        sink.closed()
        self._ended()

    # -- in -----------------------------------------------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        """Serve a turn of what was read; its answers leave together."""
        corked = self._corked
        self._cork()
        try:
            rest = data if self._parsing else self._plain_frames(data)
            if rest:
                self._parse(rest)
        finally:
            if not corked:
                self.flush()

    def _plain_frames(self, data: bytes) -> bytes:
        """Hand over the plain frames at the beginning of ``data``; the rest, which is for the library or for later."""
        sink, start, end = cast(Sink, self._sink), 0, len(data)
        limit, served = self.config.ws_max_size, 0
        while end - start >= 6 and not self.close_sent:
            if served == TURN or sink.busy:
                self._put_off(data[start:])
                return b""
            size = data[start + 1] - 0x80
            if size < 126:
                body = start + 6
            elif size == 126 and end - start >= 8:
                size = data[start + 2] << 8 | data[start + 3]
                body = start + 8
            else:
                break
            # final, text, no reserved bits; masked; not over the limit; all there
            if data[start] != 0x81 or size < 0 or size > limit or body + size > end:
                break
            try:
                text = apply_mask(data[body : body + size], data[body - 4 : body]).decode()
            except UnicodeDecodeError:
                break  # the library's path says what is wrong and closes
            start = body + size
            served += 1
            sink.receive(text)
        return data[start:] if start else data

    def _parse(self, data: bytes) -> None:
        """Let the library's parser have its way."""
        served = 0
        for start in range(0, len(data), PIECE):
            if served >= TURN:
                self._put_off(data[start:])
                break
            self.conn.receive_data(data[start : start + PIECE])
            served += len(self.conn.events)
            self.handle_events()  # what came before a fault counts, however the bytes were cut
            if self.transport.is_closing():
                return
            if self.conn.parser_exc is not None:
                self.handle_parser_exception()
                return
        self._parsing = not self._at_boundary()
        self.count_unfinished()

    def _put_off(self, rest: bytes) -> None:
        """Serve the rest, and what comes behind it, when the session is free and others have had their turn."""
        self._unserved = rest
        self._stop_reading()
        if not cast(Sink, self._sink).busy:
            self.loop.call_soon(self.wake)

    def _at_boundary(self) -> bool:
        """Whether the library's parser waits for the first byte of a message."""
        waiting = cast("GeneratorType[None, None, None]", self.conn.parser)
        while waiting.gi_yieldfrom is not None:  # a server's parser waits in that of any connection
            waiting = cast("GeneratorType[None, None, None]", waiting.gi_yieldfrom)
        at_eof = waiting.gi_code is _AT_BOUNDARY
        return at_eof and self.conn.current_size is None and not self.conn.eof_sent

    def send_receive_event_to_app(self) -> None:
        """uvicorn has put a message together."""
        if self._sink is None:
            super().send_receive_event_to_app()
            return
        self._stop_clock()
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        message: str | None = None
        if self.curr_msg_data_type == "text":
            try:
                message = bytes(data).decode()
            except UnicodeDecodeError:
                self.flush()
                # A fault or a close that came right behind it has the library closing already.
                if self.conn.state is State.OPEN:
                    self.conn.send_close(Close.INVALID_DATA)
                self.handle_parser_exception()
                return
        if self._inbox or self._sink.busy:
            self._inbox.append(message)
            self._stop_reading()
        else:
            self._deliver(message)

    def _deliver(self, message: str | None) -> None:
        sink = self._sink
        if sink is None:
            return
        if message is None:
            sink.receive_binary()
        else:
            sink.receive(message)

    def handle_ping(self) -> None:
        if self._sink is not None:
            self.flush()
            if self.conn.parser_exc is not None:
                return  # the pong waits beside the close, which answers must not follow
        super().handle_ping()

    def handle_close(self, event: Any) -> None:
        if self._sink is None:
            super().handle_close(event)
        elif not self.transport.is_closing():
            self.flush()
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
            self.cut_off_later()

    def handle_parser_exception(self) -> None:
        if self._sink is None:
            super().handle_parser_exception()
            return
        self.flush()
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.write = _drop
        self.transport.close()
        self.cut_off_later()

    def shutdown(self) -> None:
        if self._sink is None:
            super().shutdown()
            return
        self.close(Close.RESTART)
        if self.congested:  # it has had its time to drain
            self.transport.abort()
        else:
            self.transport.close()

    def is_over(self) -> bool:
        return self._sink is None

    def _stop_reading(self) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _read_on(self) -> None:
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

    # -- the application's call ---------------------------------------------------------------------------------------

    async def run_asgi(self) -> None:
        """uvicorn's, but that a connection with a session outlives the call, and keeps nothing of it."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException:
            self.logger.exception("Exception in ASGI application\n")
            self.send_500_response()
        else:
            if not self.handshake_complete:
                self.logger.error("ASGI callable returned without completing handshake.")
                self.send_500_response()
        if self._sink is not None or self.disconnected:
            del self.scope, self.request, self.response
        elif self.close_timer is None:
            self.transport.close()


def _drop(framed: bytes) -> None:
    """Nothing is sent behind a close."""
