"""The WebSocket door: who is let in, keep-alives, and how connections end.

Two ways lead through it. Under our own uvicorn protocol (`direct`) a session is plugged straight into the connection.
Under any other ASGI server `asgi` carries it. Either way the session sees the same `Door`, and a connection whose
client does not read is congested: snapshots pass it by, and its own frames are not read.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import random
import time
from collections import Counter
from functools import partial
from typing import NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from leaderboard import replies
from leaderboard.access import Caller
from leaderboard.asgi import AsgiDoor
from leaderboard.credentials import PROTOCOL, credentials_of_upgrade
from leaderboard.direct import EXTENSION, DirectProtocol
from leaderboard.engines import answer_of
from leaderboard.errors import COME_BACK_IN, Close, LimitExceeded, Refusal
from leaderboard.grants import Grant
from leaderboard.limits import Rate, Rates, source
from leaderboard.operations import Operations
from leaderboard.session import Session
from leaderboard.settings import Limits
from leaderboard.wheel import Wheel

log = logging.getLogger(__name__)

DRAIN_TIME = 3.0
"""Seconds that connections have to take their last frames when the server ends: `serve` promises five in all."""
RETURN = 0.005
"""Seconds that a restarted server has for each client that comes back: a handshake and a subscription take less."""
RETURNED = 10.0
"""Seconds in which the last is told to come back, however many they are."""


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
        self._wheel = Wheel[AnyDoor](
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
        try:
            await door.carry(self._connections[door].session)
        finally:
            self._end(door)

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
