"""HTTP with a clock and a ceiling: uvicorn's own protocol, proof against a client that never comes to the point.

uvicorn times the pause between two requests and nothing else. Here a request must be whole within a time, its head
and its trailers must end somewhere, few may come before the first is answered, an answer that nobody takes is given up,
and there are no more sockets than the server has a use for: what sends a byte a minute holds a place for half a minute,
not for ever. Upgrades come through here as well.

Where a server ends, uvicorn closes what has not asked for anything yet. Here, who was let in at the last moment is
answered.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD = 64 * 1024
"""Bytes of a request line and its headers: twice the longest credential, and what other servers take at most."""
AHEAD = 32
"""Requests that may wait behind the one that is answered. Each costs a hundred times its bytes; browsers send none."""
LAST = 1.0
"""Seconds in which who was let in just before the end may still ask: its request is on its way."""
STATUS = {
    408: b"HTTP/1.1 408 Request Timeout\r\n",
    431: b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
    503: b"HTTP/1.1 503 Service Unavailable\r\n",
}


class TooManyAhead(Exception):
    """Ends the parsing; uvicorn answers 400."""


class PunctualProtocol(HttpToolsProtocol):
    """One connection before, or without, an upgrade. `doorway` makes one with limits of its own."""

    request_time: ClassVar[float] = 30.0
    """Seconds for a request, head and body."""
    stuck_time: ClassVar[float] = 30.0
    """Seconds in which some of an answer must have left."""
    sockets: ClassVar[int] = 20_000

    _clock: TimerHandle | None = None
    _unread: TimerHandle | None = None
    _came = 0.0
    _ending = False
    """Nothing is answered after the next request."""
    _head = 0
    _moved = False
    """Whether what was read last had a part of a body, or the beginning of a request."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.sockets:
            transport.abort()
        else:
            self._came = self.loop.time()
            self._wind()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self.resume_writing()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        left = self._came + LAST - self.loop.time()
        if self._cycle is None and left > 0:
            self._ending = True
            self._stop()
            self._clock = self.loop.call_later(left, self.transport.close)
        else:
            super().shutdown()

    # -- in -----------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # it has been told
        if not self._answering():
            self._wind()
        self._moved = False
        super().data_received(data)
        if self._moved:
            self._head = 0  # of what began in this read, some may belong to what was before
        else:
            # Of a head, or, around the chunks of a body, of their extensions and trailers.
            self._head += len(data)
            if self._head > MAX_HEAD:
                self._refuse(431)

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= AHEAD:
            raise TooManyAhead
        self._moved = True
        self._wind()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._ending and self._cycle is not None:  # there is none of an upgrade
            self._cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stop()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._stop()
        if self._ending:
            self._refuse(503)  # it would outlive the server: it is for another, or for the next
        else:
            super().handle_websocket_upgrade()

    def _wind(self) -> None:
        if self._clock is None:
            self._clock = self.loop.call_later(self.request_time, self._too_late)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _too_late(self) -> None:
        self._clock = None
        self._refuse(408)

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """The request that came last, and its answer."""
        return cast("RequestResponseCycle | None", self.cycle)

    def _answering(self) -> bool:
        return self._cycle is not None and not self._cycle.response_complete

    def _refuse(self, status: int) -> None:
        if self._answering() and self.cycle.response_started:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.write(STATUS[status] + b"connection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()

    # -- out ----------------------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.stuck_time, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


def doorway(request_time: float, stuck_time: float, sockets: int) -> type[PunctualProtocol]:
    """The protocol with these limits: uvicorn makes one per connection, and hands it no settings of ours."""
    limits = {"request_time": request_time, "stuck_time": stuck_time, "sockets": sockets}
    return type("Doorway", (PunctualProtocol,), limits)
