"""The WebSocket door: carries sessions over ASGI, with their keep-alives and their ends.

One task reads, one writes. What a session sends is queued and leaves in order; while more than `HIGH_WATER` waits, the
session counts as not writable, so snapshots pass it by and its own frames are not read.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from leaderboard import messages
from leaderboard.auth import PROTOCOL, credentials_of_upgrade
from leaderboard.errors import Close, LimitExceeded, Refusal
from leaderboard.operations import Operations
from leaderboard.session import Session
from leaderboard.settings import Limits

log = logging.getLogger(__name__)

HIGH_WATER = 64 * 1024
"""Bytes waiting for one connection beyond which it is not writable: asyncio's own default for a transport."""
LOW_WATER = HIGH_WATER // 4
DRAIN_TIME = 3.0
"""Seconds that connections have to take their last frames when the server ends: `serve` promises five in all."""


class AsgiDoor:
    """The frames of one connection on their way out."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._frames: deque[bytes] = deque()
        self._something_to_do = asyncio.Event()
        self._free = asyncio.Event()
        self._closing: tuple[Close, str] | None = None
        self._ended = False
        self.backlog = 0
        self.writable = True
        self.session: Session

    @property
    def close_code(self) -> Close | None:
        """The code with which this side closes, if it does."""
        return self._closing[0] if self._closing else None

    def send(self, frame: bytes) -> None:
        if self._closing or self._ended:
            return
        self._frames.append(frame)
        self.backlog += len(frame)
        if self.backlog > HIGH_WATER:
            self.writable = False
        self._something_to_do.set()

    def close(self, code: Close, reason: str = "") -> None:
        if self._closing is None:
            self._closing = (code, reason)
            self._something_to_do.set()

    def wake(self) -> None:
        self._free.set()

    async def until_free(self) -> None:
        """Wait while the session is busy."""
        while self.session.busy and not self._ended:
            self._free.clear()
            await self._free.wait()

    async def write(self) -> None:
        """Write what is sent, until closed or disconnected."""
        try:
            while True:
                while self._frames:
                    frame = self._frames.popleft()
                    await self._websocket.send_text(frame.decode())
                    self._left(len(frame))
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
            self._ended = True
            self._frames.clear()
            self.wake()

    def _left(self, size: int) -> None:
        self.backlog -= size
        if not self.writable and self.backlog <= LOW_WATER:
            self.writable = True
            self.wake()
            self.session.drained()


class Realtime:
    """All connections of this process."""

    def __init__(self, operations: Operations, limits: Limits) -> None:
        self._operations = operations
        self._limits = limits
        self._metrics = operations.broker.metrics
        self._doors: dict[AsgiDoor, asyncio.Task[None]] = {}
        self.draining = False

    def __len__(self) -> int:
        return len(self._doors)

    async def serve(self, websocket: WebSocket) -> None:
        """The whole life of one connection."""
        self._metrics.count("ConnectRequests")
        offered = websocket.scope["subprotocols"]
        await websocket.accept(PROTOCOL if PROTOCOL in offered else None)
        if self.draining or len(self._doors) >= self._limits.connections:
            await self._turn_away(websocket)
            return
        began = time.monotonic()
        refusal = self._refusal(websocket)
        self._metrics.count("ConnectClientError" if refusal else "ConnectSuccess")
        door = AsgiDoor(websocket)
        door.session = Session(self._operations, self._limits, door, refusal)
        timers = self._start_timers(door)
        writer = asyncio.create_task(door.write(), name="writer of a connection")
        self._doors[door] = writer
        code = int(Close.NORMAL)
        try:
            code = await self._read(websocket, door)
        finally:
            door.session.closed()
            for timer in timers:
                timer.cancel()
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            del self._doors[door]
            self._count_end(door.close_code or code, time.monotonic() - began)

    async def _read(self, websocket: WebSocket, door: AsgiDoor) -> int:
        """Feed the session until the connection ends; returns the close code."""
        while True:
            event = await websocket.receive()
            if event["type"] == "websocket.disconnect":
                return int(event.get("code") or 1005)
            text = event.get("text")
            if text is None:
                door.session.receive_binary()
            else:
                door.session.receive(text)
            if door.session.busy:
                await door.until_free()

    def _refusal(self, websocket: WebSocket) -> Refusal | None:
        """Why this upgrade's credential may not connect, if it may not."""
        auth = self._operations.auth
        try:
            offered = websocket.scope["subprotocols"]
            auth.may_connect(auth.authenticate(credentials_of_upgrade(offered, websocket.headers)))
        except Refusal as refusal:
            return refusal
        return None

    async def _turn_away(self, websocket: WebSocket) -> None:
        self._metrics.count("ConnectClientError")
        what = "This server is about to stop." if self.draining else "This server is full."
        try:
            frame = messages.error("connection_error", [LimitExceeded(what)])
            await websocket.send_text(frame.decode())
            await websocket.close(Close.TOO_SLOW, "come back later")
        except (WebSocketDisconnect, OSError, RuntimeError):
            pass  # it left first

    def _start_timers(self, door: AsgiDoor) -> list[_Timer]:
        limits = self._limits

        def keep_alive() -> None:
            if door.writable:  # whoever does not read must not pile up keep-alives
                door.send(messages.KEEP_ALIVE)

        def silent() -> None:
            if not door.session.spoken:
                door.close(Close.POLICY, "nothing was said")

        def old() -> None:
            door.close(Close.GOING_AWAY, "end of the connection's lifetime")

        return [
            _Timer(limits.keep_alive, keep_alive, again=True),
            _Timer(limits.first_frame, silent),
            _Timer(limits.connection_lifetime, old),
        ]

    def _count_end(self, code: int, seconds: float) -> None:
        in_order = code in (Close.NORMAL, Close.GOING_AWAY, Close.RESTART, 1005, 1006)
        self._metrics.count("DisconnectSuccess" if in_order else "DisconnectClientError")
        self._metrics.count("ConnectionDuration", by=int(seconds * 1000))

    async def drain(self) -> None:
        """Take no more connections, send every subscriber the newest snapshot, and close with 1012."""
        self.draining = True
        await self._operations.broker.drain()
        for door in self._doors:
            door.close(Close.RESTART, "the server restarts")
        writers = list(self._doors.values())
        if writers:
            await asyncio.wait(writers, timeout=DRAIN_TIME)


class _Timer:
    """A callback after some seconds, once or again and again."""

    __slots__ = ("_again", "_call", "_handle", "_seconds")

    def __init__(self, seconds: float, call: Callable[[], None], *, again: bool = False) -> None:
        self._seconds = seconds
        self._call = call
        self._again = again
        self._handle = asyncio.get_running_loop().call_later(seconds, self._fire)

    def _fire(self) -> None:
        self._call()
        if self._again:
            self._handle = asyncio.get_running_loop().call_later(self._seconds, self._fire)

    def cancel(self) -> None:
        self._handle.cancel()
