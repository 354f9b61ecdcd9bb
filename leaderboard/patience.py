"""uvicorn's WebSocket, proof against peers that wear a server out: who does not read, and who does not finish.

What an application gets and sends is uvicorn's affair; `direct` builds the fast door upon this. It leans on the insides
of uvicorn and of websockets, so both are bounded in pyproject.toml and tests/test_direct.py fails loudly when they
change.
"""

from __future__ import annotations

import math
import time
from asyncio import Task, TimerHandle
from typing import Any, ClassVar, TypeVar, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import State

from leaderboard.errors import Close

LINGER = 10.0
"""Seconds in which a peer may still take what was sent before the close, and answer it."""
SMALL = 64 * 1024
"""Bytes of a message in parts that any connection may have sent: of those that are shorter, nobody is deprived."""


class Unfinished:
    """What has come of frames, messages and bodies of requests that are not whole, of a whole server together."""

    __slots__ = ("held", "most", "seconds")

    def __init__(self, most: float = math.inf, seconds: float = 30.0) -> None:
        self.most = most
        """Bytes; beyond, no connection may add to more than `SMALL` of its own."""
        self.seconds = seconds
        """How long one may take to become whole."""
        self.held = 0


class PatientProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, proof against a peer that does not read, and one that does not finish what it says.

    A transport that is closed waits until its buffer has left, which such a peer can put off for ever.
    """

    unfinished: ClassVar[Unfinished] = Unfinished()
    stuck: ClassVar[float] = math.inf
    """Seconds in which it may take nothing."""
    congested = False
    """More waits in the transport's buffer than `HIGH_WATER`: snapshots pass this connection by."""
    congested_since = 0.0
    _held = 0
    """What is counted of this connection in `unfinished`."""
    _late: TimerHandle | None = None
    _cut_off: TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.count_unfinished()

    def count_unfinished(self) -> None:
        """After the library's parser has run: keep the account of what it holds, and the clock."""
        held = len(self.conn.reader.buffer) + sum(map(len, self.frames))
        if held == self._held and (not held or self._late is not None):
            return
        all_ = self.unfinished
        all_.held += held - self._held
        self._held = held
        if held and all_.held > all_.most and held > SMALL:
            self.give_up(Close.TOO_SLOW, "too much has come in part")
        elif not held:
            self._stop_clock()
        elif self._late is None:
            self._late = self.loop.call_later(
                all_.seconds, self.give_up, Close.TOO_SLOW, "a frame did not end"
            )

    def give_up(self, code: Close, reason: str) -> None:
        """Close without waiting for the rest of a message."""
        if self.conn.state is State.OPEN and not self.transport.is_closing():
            self.conn.send_close(code, reason)
            self.handle_parser_exception()
        elif not self.transport.is_closing():
            self.cut_off_later()

    def forget_unfinished(self) -> None:
        """The connection is gone."""
        self.unfinished.held -= self._held
        self._held = 0
        self._stop_clock()

    def _stop_clock(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def handle_cont(self, event: Frame) -> None:
        # In one piece: a message in a million fragments, empty ones even, is not a million objects.
        message = cast("list[Any]", self.frames)
        if not isinstance(message[0], bytearray):
            message[0] = bytearray(message[0])
        message[0] += event.data
        if event.fin:
            self.send_receive_event_to_app()

    def send_receive_event_to_app(self) -> None:
        self._stop_clock()  # that message is whole; the next one has its own time
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # this pong is left out (RFC 6455, 5.5.3): they must not pile up unread

    def on_task_complete(self, task: Task[None]) -> None:
        super().on_task_complete(task)
        if not self.disconnected and self.is_over():
            self.cut_off_later()

    def is_over(self) -> bool:
        """Whether the end of the application's call is the end of the connection."""
        return True

    def cut_off_later(self) -> None:
        """The connection is over: whoever does not take its end is cut off."""
        if self._cut_off is None:
            self._cut_off = self.loop.call_later(LINGER, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.congested, self.congested_since = True, time.monotonic()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.congested = False

    def keepalive_timeout(self) -> None:
        """A ping has no answer: somebody is gone, or does not read.

        Who does not read has not seen the ping. How long that may last is for ``stuck`` to say, in which the ping waits
        with all the rest.
        """
        if not self.transport.get_write_buffer_size():
            super().keepalive_timeout()
        elif self.congested and time.monotonic() - self.congested_since < self.stuck:
            again = cast(float, self.ping_timeout)
            self.pong_timer = self.loop.call_later(again, self.keepalive_timeout)
            return
        else:
            self.give_up(Close.TOO_SLOW, "nothing was read")
        self.cut_off_later()

    def eof_received(self) -> None:
        super().eof_received()
        self.cut_off_later()  # the transport closes itself now

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.forget_unfinished()
        if self._cut_off is not None:
            self._cut_off.cancel()

    def shutdown(self) -> None:
        super().shutdown()
        if not self.writable.is_set():  # it has had its time to drain
            self.transport.abort()


P = TypeVar("P", bound=PatientProtocol)


def door(kind: type[P], unfinished: Unfinished, stuck: float) -> type[P]:
    """The protocol with an account and a limit of its own: uvicorn makes one per connection, and hands it nothing of
    ours."""
    return type("Door", (kind,), {"unfinished": unfinished, "stuck": stuck})
