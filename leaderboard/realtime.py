"""The WebSocket door: carries sessions over ASGI, with their keep-alives and their ends.

Two ways lead through it. Under our own uvicorn protocol (`direct`) a session is plugged straight into the connection.
Under any other ASGI server one task reads and one writes: what a session sends is queued and leaves in order. Either
way the session sees the same `Door`, and a connection whose client does not read is congested: snapshots pass it by,
and its own frames are not read.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from leaderboard import frames, patience, replies
from leaderboard.access import Caller
from leaderboard.credentials import PROTOCOL, credentials_of_upgrade
from leaderboard.direct import EXTENSION, HIGH_WATER, DirectProtocol
from leaderboard.engines import answer_of
from leaderboard.errors import COME_BACK_IN, Close, LimitExceeded, Refusal
from leaderboard.grants import Grant
from leaderboard.limits import Rate, Rates, source
from leaderboard.operations import Operations
from leaderboard.session import Session
from leaderboard.settings import Limits

log = logging.getLogger(__name__)

LOW_WATER = HIGH_WATER // 4
DRAIN_TIME = 3.0
"""Seconds that connections have to take their last frames when the server ends: `serve` promises five in all."""
RETURN = 0.005
"""Seconds that a restarted server has for each client that comes back: a handshake and a subscription take less."""
RETURNED = 10.0
"""Seconds in which the last is told to come back, however many they are."""
SPOKES = 64
"""Parts into which a round of keep-alives is divided, so that ten thousand of them are no burst."""


class AsgiDoor:
    """The frames of one connection on their way out over plain ASGI."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._texts: deque[bytes] = deque()
        self._something_to_do = asyncio.Event()
        self._free = asyncio.Event()
        self._closing: tuple[Close, str] | None = None
        self._ended = False
        self.patience = asyncio.timeout(None)
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
        self.patience.reschedule(asyncio.get_running_loop().time() + patience.LINGER)

    def wake(self) -> None:
        self._free.set()

    async def until_free(self) -> None:
        """Wait while the session is busy."""
        while self.session.busy and not self._ended:
            self._free.clear()
            await self._free.wait()

    def end(self) -> None:
        """Nobody is there any more: nothing is taken from here on."""
        self._ended = True
        self._texts.clear()
        self.wake()

    async def run(self) -> None:
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
            self.end()

    def _left(self, size: int) -> None:
        self.backlog -= size
        if self.congested and self.backlog <= LOW_WATER:
            self.congested = False
            self.wake()
            self.session.resume()


AnyDoor = AsgiDoor | DirectProtocol


class _Connection:
    """What the wheel knows of a connection."""

    __slots__ = ("began", "came_from", "kept_alive", "session")

    def __init__(self, session: Session, came_from: str) -> None:
        self.session = session
        self.came_from = came_from
        self.began = self.kept_alive = time.monotonic()


class Present(NamedTuple):
    """A connection as operators see it: its credential is named, never shown."""

    id: str
    credential: str
    seconds: float
    subscriptions: int
    backlog: int
    congested: bool


class Realtime:
    """All connections of this process."""

    def __init__(
        self, operations: Operations, limits: Limits, session: type[Session] = Session
    ) -> None:
        self._session = session
        self._operations = operations
        self._limits = limits
        self._metrics = operations.broker.metrics
        self._connections: dict[AnyDoor, _Connection] = {}
        self._gone = asyncio.Event()
        self._sources: Counter[str] = Counter()
        """Open connections by where they come from."""
        self._arrivals = Rate(limits.connects_per_second, "new connections")
        self._arrivals_from = Rates(
            limits.connects_per_address, "new connections from one address", seconds=10.0
        )
        self._wheel = _Wheel(
            min(limits.keep_alive, limits.first_frame, limits.connection_lifetime),
            self._visit,
            self._look_round,
        )
        self.draining = False

    def __len__(self) -> int:
        return len(self._connections)

    def present(self, most: int) -> list[Present]:
        """The connections that were opened last, and before them any that do not take what they are sent."""
        latest = list(itertools.islice(reversed(self._connections.items()), most))
        stuck = [item for item in self._connections.items() if item[0].congested][:most]
        now = time.monotonic()
        return [
            Present(
                connection.session.id,
                connection.session.bearer,
                now - connection.began,
                connection.session.subscribed,
                door.backlog,
                door.congested,
            )
            for door, connection in dict([*stuck, *latest]).items()
        ][:most]

    async def serve(self, websocket: WebSocket) -> None:
        """One connection: its whole life over plain ASGI, or up to its session under `direct`."""
        self._metrics.count("ConnectRequests")
        offered = websocket.scope["subprotocols"]
        protocol = PROTOCOL if PROTOCOL in offered else None
        came_from = source("" if websocket.client is None else websocket.client.host)
        try:
            self._arrive(came_from)  # before its credential costs anything
            caller = self._operations.auth.access.caller(websocket.headers)
            opened = await self._opened(websocket, caller)
            await websocket.accept(protocol)
            self._admit(came_from)
        except LimitExceeded as full:
            await self._turn_away(websocket, protocol, full)
            return
        refused = isinstance(opened, Refusal)
        self._metrics.count("ConnectClientError" if refused else "ConnectSuccess")
        plug = websocket.scope.get("extensions", {}).get(EXTENSION)
        if isinstance(plug, DirectProtocol):
            self._begin(plug, opened, caller, came_from)
            plug.attach(self._connections[plug].session, lambda: self._end(plug))
            return
        door = AsgiDoor(websocket)
        self._begin(door, opened, caller, came_from)
        door.session = self._connections[door].session
        writer = asyncio.create_task(door.run(), name="writer of a connection")
        try:
            async with door.patience:
                await self._read(websocket, door)
        except TimeoutError:
            log.debug("a connection did not take its end")
        finally:
            door.end()
            door.session.closed()
            self._end(door)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _read(self, websocket: WebSocket, door: AsgiDoor) -> None:
        """Feed the session until the connection ends."""
        while True:
            event = await websocket.receive()
            if event["type"] == "websocket.disconnect":
                if event.get("code") == Close.TOO_SLOW:
                    door.close(Close.TOO_SLOW)  # its protocol has given it up: see `patience`
                return
            text = event.get("text")
            if text is None:
                door.session.receive_binary()
            else:
                door.session.receive(text)
            if door.session.busy:
                await door.until_free()

    async def _opened(self, websocket: WebSocket, caller: Caller) -> Grant | Refusal:
        """The grant of this upgrade's credential, or why it may not connect."""
        auth = self._operations.auth
        try:
            offered = websocket.scope["subprotocols"]
            credentials = credentials_of_upgrade(offered, websocket.headers)
            self._session.look_at(credentials, PROTOCOL in offered)
            ask = partial(auth.identify, credentials, auth.access.to_connect(caller))
            grant: Grant | Refusal = await answer_of(ask)
            if isinstance(grant, Grant):
                auth.access.may_connect(grant)
        except Refusal as refusal:
            return refusal
        return grant

    def _admit(self, came_from: str) -> None:
        """Raises `LimitExceeded` if a connection from there is one too many."""
        if self.draining:
            raise LimitExceeded("This server is about to stop.")
        if len(self._connections) >= self._limits.connections:
            raise LimitExceeded("This server is full.")
        most = self._limits.connections_per_address
        if most and self._sources[came_from] >= most:
            raise LimitExceeded(f"{most} connections from one address, no more")

    def _arrive(self, came_from: str) -> None:
        """Raises `LimitExceeded` if a connection from there comes too soon after others."""
        now = time.monotonic()
        self._arrivals_from.take(came_from, now)
        self._arrivals.take(now)

    async def _turn_away(
        self, websocket: WebSocket, protocol: str | None, full: LimitExceeded
    ) -> None:
        self._metrics.count("ConnectClientError")
        self._operations.refusals.note("connect", full)
        try:
            if websocket.application_state is WebSocketState.CONNECTING:
                await websocket.accept(protocol)
            frame = replies.error("connection_error", [full])
            await websocket.send_text(frame.decode())
            await websocket.close(Close.TOO_SLOW, "come back later")
        except (WebSocketDisconnect, OSError, RuntimeError):
            pass  # it left first

    def _begin(
        self, door: AnyDoor, opened: Grant | Refusal, caller: Caller, came_from: str
    ) -> None:
        session = self._session(self._operations, self._limits, door, opened, caller)
        self._connections[door] = _Connection(session, came_from)
        self._sources[came_from] += 1
        self._wheel.add(door)
        if log.isEnabledFor(logging.DEBUG):
            grant = opened.id if isinstance(opened, Grant) else "none"
            log.debug("connected", extra={"connection": session.id, "credential": grant})

    def _end(self, door: AnyDoor) -> None:
        connection = self._connections.pop(door)
        self._wheel.remove(door)
        self._sources[connection.came_from] -= 1
        if not self._sources[connection.came_from]:
            del self._sources[connection.came_from]
        # What the client did, or failed to do, ends a connection with one of these two; all else is in order.
        blamed = door.close_code in (Close.POLICY, Close.TOO_SLOW)
        self._metrics.count("DisconnectClientError" if blamed else "DisconnectSuccess")
        lasted = time.monotonic() - connection.began
        self._metrics.count("ConnectionDuration", by=int(lasted * 1000))
        if log.isEnabledFor(logging.DEBUG):
            code = int(door.close_code) if door.close_code else None
            extra = {"connection": connection.session.id, "seconds": round(lasted, 3), "code": code}
            log.debug("disconnected", extra=extra)
        if not self._connections:
            self._gone.set()

    def _visit(self, door: AnyDoor) -> None:
        """The wheel comes by."""
        connection = self._connections[door]
        now = time.monotonic()
        age = now - connection.began
        if age >= self._limits.connection_lifetime:
            door.close(Close.GOING_AWAY, "end of the connection's lifetime")
        elif age >= self._limits.first_frame and not connection.session.spoken:
            door.close(Close.POLICY, "nothing was said")
        elif now - connection.kept_alive >= self._limits.keep_alive and not door.congested:
            # Whoever does not read must not pile up keep-alives.
            connection.kept_alive = now
            door.send_text(replies.KEEP_ALIVE)

    def end_grants(self, by: float = math.inf) -> None:
        """Have every connection end what was opened by a grant that does not hold any more.

        ``by`` leaves out those that have none which ends before, in seconds since 1970.
        """
        for session in [each.session for each in self._connections.values()]:
            if session.ends <= by:
                session.end_grants()

    def _look_round(self) -> None:
        self.end_grants(by=time.time())
        since = time.monotonic() - self._limits.stuck
        for door in list(self._connections):
            if door.congested and door.congested_since <= since:
                door.close(Close.TOO_SLOW, "nothing was read")

    async def drain(self) -> None:
        """Take no more connections, send every subscriber the newest snapshot, and close with 1012."""
        self.draining = True
        for connection in self._connections.values():
            connection.session.halt()
        await self._operations.auth.stop()
        await self._operations.handlers.stop()
        await self._operations.broker.drain()
        self._wheel.stop()
        everybody = list(self._connections.items())
        spread = min(len(everybody) * RETURN, RETURNED)
        for place, (door, connection) in enumerate(everybody):
            turn = spread * (place + random.random()) / len(everybody)
            door.close(Close.RESTART, f"the server restarts, {COME_BACK_IN}{turn:.3f} s")
            connection.session.closed()
            door.wake()  # what the client says to that is read again
        if self._connections:
            self._gone.clear()
            try:
                async with asyncio.timeout(DRAIN_TIME):
                    await self._gone.wait()
            except TimeoutError:
                log.warning("%d connections did not take their last frames", len(self._connections))


class _Wheel:
    """Visits every connection once in ``period`` seconds, a part of them at a time; costs a connection no timer.

    ``turned`` runs with each part: about once a second.
    """

    def __init__(
        self, period: float, visit: Callable[[AnyDoor], None], turned: Callable[[], None]
    ) -> None:
        self._pause = period / SPOKES
        self._visit = visit
        self._turned = turned
        self._spokes: list[dict[AnyDoor, None]] = [{} for _ in range(SPOKES)]
        self._places: dict[AnyDoor, int] = {}
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, door: AnyDoor) -> None:
        # The spoke just passed: its first visit is a whole period away.
        place = self._turn
        self._places[door] = place
        self._spokes[place][door] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._go_on)

    def remove(self, door: AnyDoor) -> None:
        del self._spokes[self._places.pop(door)][door]

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        self._timer = None
        self._turn = (self._turn + 1) % SPOKES
        for door in list(self._spokes[self._turn]):
            self._visit(door)
        self._turned()
        if self._places:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._go_on)
