"""The plain door: carries a session over any ASGI server, where `direct` is the fast one into uvicorn.

One task reads and one writes: what a session sends is queued and leaves in order.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque

from starlette.websockets import WebSocket, WebSocketDisconnect

from leaderboard import frames, patience
from leaderboard.direct import HIGH_WATER
from leaderboard.errors import Close
from leaderboard.session import Session

log = logging.getLogger(__name__)

LOW_WATER = HIGH_WATER // 4


class AsgiDoor:
    """The frames of one connection on their way out over plain ASGI."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._texts: deque[bytes] = deque()
        self._something_to_do = asyncio.Event()
        self._free = asyncio.Event()
        self._closing: tuple[Close, str] | None = None
        self._ended = False
        self._patience = asyncio.timeout(None)
        """Ends the reading of a connection that was closed and does not take it."""
        self.backlog = 0
        self.congested = False
        self.congested_since = 0.0
        self.session: Session

    @property
    def close_code(self) -> Close | None:
        """The code with which this side closes, if it does."""
        return self._closing[0] if self._closing else None

    def send_text(self, text: bytes) -> None:
        if self._closing or self._ended:
            return
        self._texts.append(text)
        self.backlog += len(text)
        self._something_to_do.set()
        if self.backlog > HIGH_WATER and not self.congested:
            self.congested, self.congested_since = True, time.monotonic()
            self.session.pause()

    def write(self, frame: bytes) -> None:
        self.send_text(frames.text_of(frame))

    hold = write  # the writer's task runs later anyway

    def flush(self) -> None:
        pass

    def close(self, code: Close, reason: str = "") -> None:
        if self._closing or self._ended:
            return
        self._closing = (code, reason)
        self._something_to_do.set()
        self._patience.reschedule(asyncio.get_running_loop().time() + patience.LINGER)

    def wake(self) -> None:
        self._free.set()

    async def carry(self, session: Session) -> None:
        """Carry a session until the connection ends."""
        self.session = session
        writer = asyncio.create_task(self._write(), name="writer of a connection")
        try:
            async with self._patience:
                await self._read()
        except TimeoutError:
            log.debug("a connection did not take its end")
        finally:
            self._end()
            session.closed()
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _read(self) -> None:
        """Feed the session until the connection ends."""
        while True:
            event = await self._websocket.receive()
            if event["type"] == "websocket.disconnect":
                if event.get("code") == Close.TOO_SLOW:
                    self.close(Close.TOO_SLOW)  # its protocol has given it up: see `patience`
                return
            text = event.get("text")
            if text is None:
                self.session.receive_binary()
            else:
                self.session.receive(text)
            if self.session.busy:
                await self._until_free()

    async def _until_free(self) -> None:
        """Wait while the session is busy."""
        while self.session.busy and not self._ended:
            self._free.clear()
            await self._free.wait()

    def _end(self) -> None:
        """Nobody is there any more: nothing is taken from here on."""
        self._ended = True
        self._texts.clear()
        self.wake()

    async def _write(self) -> None:
        """Write what is sent, until closed or disconnected."""
        try:
            while True:
                while self._texts:
                    text = self._texts.popleft()
                    await self._websocket.send_text(text.decode())
                    self._left(len(text))
                if self._closing:
                    code, reason = self._closing
                    await self._websocket.close(code, reason)
                    return
                self._something_to_do.clear()
                await self._something_to_do.wait()
        except (WebSocketDisconnect, OSError, RuntimeError) as error:
            # Starlette's and the server's ways to say that nobody is there any more.
            log.debug("a connection went away while written to: %r", error)
        finally:
            self._end()

    def _left(self, size: int) -> None:
        self.backlog -= size
        if self.congested and self.backlog <= LOW_WATER:
            self.congested = False
            self.wake()
            self.session.resume()
