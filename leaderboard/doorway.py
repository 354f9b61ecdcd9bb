"""HTTP with a clock and a ceiling: uvicorn's own protocol, proof against a client that never comes to the point.

uvicorn times the pause between two requests and nothing else. Here a request must be whole within a time, its head
must end somewhere, an answer that nobody takes is given up, and there are no more sockets than the server has a use
for: what sends a byte a minute holds a place for half a minute, not for ever. Upgrades come through here as well.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD = 64 * 1024
"""Bytes of a request line and its headers: twice the longest credential, and what other servers take at most."""
STATUS = {
    408: b"HTTP/1.1 408 Request Timeout\r\n",
    431: b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
}


class PunctualProtocol(HttpToolsProtocol):
    """One connection before, or without, an upgrade. `doorway` makes one with limits of its own."""

    request_time: ClassVar[float] = 30.0
    """Seconds for a request, head and body."""
    stuck_time: ClassVar[float] = 30.0
    """Seconds in which some of an answer must have left."""
    sockets: ClassVar[int] = 20_000

    _clock: TimerHandle | None = None
    _unread: TimerHandle | None = None
    _head = 0
    _in_head = _begun = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.sockets:
            transport.abort()
        else:
            self._wind()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self.resume_writing()
        super().connection_lost(exc)

    # -- in -----------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # it has been told
        if not self._answering():
            self._wind()
        self._begun = False
        super().data_received(data)
        if not self._in_head or self._begun:
            self._head = 0  # of what began in this read, some may belong to the request before
        else:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self._refuse(431)

    def on_message_begin(self) -> None:
        self._in_head = self._begun = True
        self._wind()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._stop()
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
        if self._answering() and self.cycle.response_started:
            self.transport.abort()
        else:
            self._refuse(408)

    def _answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def _refuse(self, status: int) -> None:
        if not self.transport.is_closing():
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
