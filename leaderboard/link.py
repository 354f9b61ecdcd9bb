"""One connection to a server, kept: dial, handshake, keep-alive watchdog, back-off.

A link carries frames and knows no operation; what travels over it belongs to `client`. It has one outbox, emptied in
order by one task, so whoever sends never waits and nothing overtakes. When the connection is lost the outbox is
dropped: what must be said again is for the owner to say, when the next one is open.

Pauses grow and are drawn at random ("full jitter"): a room of clients that lost the same server must not come back in
step. Only what no later attempt can change ends a link: a credential that is refused, or the server's own good-bye.

Longer than most: what a connection may meet, from a proxy's answer to silence, and what each leads to are one decision.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import random
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn, Protocol
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from leaderboard.credentials import HEADER_PROTOCOL, PROTOCOL
from leaderboard.errors import (
    COME_BACK_IN,
    BadRequest,
    Close,
    DuplicatedOperation,
    MaxSubscriptionsReached,
    ResourceNotFound,
    Unauthorized,
)
from leaderboard.replies import Accepted, Failed, Result

log = logging.getLogger(__name__)

HANDSHAKE = 15.0
"""Seconds from dialling to `connection_ack` (amplify-js's figure)."""
PATIENCE = 1.2
"""Silence beyond the time-out that the server promised, by this factor, means that the connection is dead."""
GRACE = 1.0
"""Seconds without a connection before anybody is told: a blip is not worth a word."""
LONGEST = 60.0
"""Seconds for which a server may ask a client to stay away."""
OFFLINE = 10.0
"""Seconds without a connection after which "reconnecting" has become "offline"."""
MAX_FRAME = 4 * 1024 * 1024
"""Largest frame taken: an event of 240 KB may double by escaping, a snapshot of 100 full rows has some 200 KB."""

FINAL = frozenset(
    {
        Unauthorized.error_type,
        "Unauthorized",  # AppSync's word where a handler refuses
        BadRequest.error_type,
        ResourceNotFound.error_type,
        MaxSubscriptionsReached.error_type,
        DuplicatedOperation.error_type,
    }
)
"""Refusals of a connection or a subscription that no later attempt would change."""


class State(StrEnum):
    """How a link stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    RECONNECTING = "reconnecting"
    """Lost for a second; what was seen last still stands."""
    OFFLINE = "offline"
    """Lost for ten seconds; attempts go on."""
    REFUSED = "refused"
    """The server will not have this client: no more attempts."""
    CLOSED = "closed"


class ClientError(Exception):
    """What can go wrong between a program and a server."""


class CannotConnect(ClientError):
    """The first connection failed; the text says where to and why."""


class Refused(ClientError):
    """The server said no: ``error_type`` is the protocol's ``errorType``, ``message`` its reason.

    ``others`` are the errors besides the first: of a publish, one for each of its events.
    """

    def __init__(self, error_type: str, message: str = "", others: Sequence[Refused] = ()) -> None:
        super().__init__(f"{error_type}: {message}" if message else error_type)
        self.error_type = error_type
        self.message = message
        self.retry_after: float | None = None
        """Seconds after which the same may be asked again, where the server says so."""
        self.others = tuple(others)


class Told(Struct, frozen=True):
    """One of a frame's ``errors``."""

    type: str = field(default="Error", name="errorType")
    message: str | None = None
    retry_after_ms: int | None = field(default=None, name="retryAfterMs")


class Frame(Struct, frozen=True):
    """A frame of the server; each type has some of the members, and members that we do not know are passed over."""

    type: str
    id: str = ""
    event: str = ""
    errors: tuple[Told, ...] = ()
    successful: list[Accepted] = []
    failed: list[Failed] = []
    results: list[Result | None] | None = None
    timeout_ms: int = field(default=300_000, name="connectionTimeoutMs")

    def refusal(self) -> Refused:
        """Its errors as an exception."""
        told, *others = self.errors or (Told(),)
        refused = Refused(
            told.type,
            told.message or "",
            [Refused(other.type, other.message or "") for other in others],
        )
        if told.retry_after_ms is not None:
            refused.retry_after = told.retry_after_ms / 1000
        return refused


_frame = msgspec.json.Decoder(Frame)


class Transport(Protocol):
    """An open WebSocket. All three raise `websockets.ConnectionClosed`, or an OSError, once it is not."""

    async def recv(self) -> str | bytes:
        """The next message."""

    async def send(self, message: str, /) -> None:
        """Send a text message; returns when there is room for more."""

    async def close(self) -> None:
        """Close it, if it is open."""


async def dial(url: str, protocols: Sequence[Subprotocol]) -> Transport:
    """Open a WebSocket over the network, through the system's proxy if it has one."""
    return await connect(
        url,
        subprotocols=protocols,
        compression=None,  # a snapshot is small, and the server prepares its frames uncompressed
        max_size=MAX_FRAME,
        open_timeout=None,  # a link has a clock of its own for that
        close_timeout=1,  # a dead network never finishes the closing handshake
    )


@dataclass(frozen=True, slots=True)
class Environment:
    """What a link needs of the world around it. Tests bring their own."""

    dial: Callable[[str, Sequence[Subprotocol]], Awaitable[Transport]] = dial
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    """A number from 0 to below 1."""


@dataclass(frozen=True, slots=True)
class Owner:
    """What a link tells whoever it carries frames for."""

    opened: Callable[[], None]
    """The server has acknowledged a new connection: what must be said first is sent now."""
    received: Callable[[Frame], None]
    """A frame came in."""
    lost: Callable[[], None]
    """The connection is gone, and with it all that was not answered."""
    turned: Callable[[State], object]
    """The link stands otherwise than before."""


class Link:
    """See above. `run` it in a task of the owner's; it ends only by raising."""

    def __init__(
        self, url: str, credentials: Mapping[str, str], owner: Owner, environment: Environment
    ) -> None:
        self.url = endpoint(url)
        self.state = State.CONNECTING
        self.open = False
        """Whether frames can be sent."""
        self._protocols = [
            Subprotocol(PROTOCOL),
            _header_protocol({"host": urlsplit(self.url).netloc, **credentials}),
        ]
        self._owner = owner
        self._environment = environment
        self._attempt = 0
        self._hint = 0.0
        """Seconds that the server wants to have before the next attempt."""
        self._met = False
        self._outbox: deque[str] = deque()
        self._filled = asyncio.Event()
        self._clocks: list[asyncio.TimerHandle] = []

    async def run(self) -> NoReturn:
        """Connect, and stay connected. Raises `CannotConnect` if the first attempt fails, `Refused` at any time."""
        try:
            self._expect_trouble()
            while True:
                try:
                    await self._converse()
                except (WebSocketException, OSError) as error:
                    self._lost(error)
                later, self._hint = self._hint, 0.0
                await self._environment.sleep(pause(self._attempt, self._environment.chance, later))
                self._attempt += 1
        except Refused:
            self._become(State.REFUSED)
            raise
        finally:
            self._calm()

    def send(self, frame: object) -> None:
        """Send a frame as soon as the socket takes it. Without a connection it would be lost: see `open`."""
        self._outbox.append(msgspec.json.encode(frame).decode())
        self._filled.set()

    def closed(self) -> None:
        """The owner has ended `run`."""
        if self.state is not State.REFUSED:
            self._become(State.CLOSED)

    # -- one connection -----------------------------------------------------------------------------------------------

    async def _converse(self) -> None:
        async with asyncio.timeout(HANDSHAKE) as watchdog:
            transport = await self._environment.dial(self.url, self._protocols)
            self._outbox.clear()
            self.send({"type": "connection_init"})
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._write(transport), name="writer of a link")
                    await self._read(transport, watchdog)
            except BaseExceptionGroup as group:
                raise group.exceptions[0] from None  # of two that fail, the first is the cause
            finally:
                self.open = False
                if not watchdog.expired():
                    watchdog.reschedule(None)
                await transport.close()

    async def _write(self, transport: Transport) -> NoReturn:
        while True:
            while self._outbox:
                await transport.send(self._outbox.popleft())
            self._filled.clear()
            await self._filled.wait()

    async def _read(self, transport: Transport, watchdog: asyncio.Timeout) -> NoReturn:
        loop = asyncio.get_running_loop()
        patience = HANDSHAKE
        while True:
            text = await transport.recv()
            try:
                frame = _frame.decode(text)
            except (ValueError, RecursionError) as error:
                log.warning("a frame of %s was not understood: %s", self.url, error)
            else:
                if frame.type == "connection_ack":
                    patience = PATIENCE * frame.timeout_ms / 1000
                    self._opened()
                elif frame.type == "connection_error":
                    raise _verdict(frame.refusal())
                else:
                    self._owner.received(frame)
            watchdog.reschedule(loop.time() + patience)

    def _opened(self) -> None:
        self._attempt = 0
        self._met = self.open = True
        self._calm()
        self._owner.opened()
        self._become(State.LIVE)

    def _lost(self, error: Exception) -> None:
        match error:
            case ConnectionClosed(rcvd=close) if close is not None and close.code == Close.POLICY:
                raise Refused("ConnectionClosed", close.reason or "The server has ended this.")
            case ConnectionClosed(rcvd=close) if close is not None and close.code == Close.RESTART:
                self._hint = hint(close.reason)
            case _TurnedAway(retry_after=seconds):
                self._hint = seconds or 0.0
            case InvalidStatus() if error.response.status_code in (401, 403):
                raise Refused(Unauthorized.error_type, "The server refuses this connection.")
        if not self._met:
            raise CannotConnect(f"cannot connect to {self.url}: {_reason(error)}") from error
        log.info("the connection to %s is lost: %s", self.url, error)
        self._owner.lost()
        self._expect_trouble()

    # -- what the owner is told ---------------------------------------------------------------------------------------

    def _expect_trouble(self) -> None:
        """Start the clocks after which a loss is told, unless they run."""
        if not self._clocks:
            later = asyncio.get_running_loop().call_later
            self._clocks.append(later(OFFLINE, self._become, State.OFFLINE))
            if self.state is State.LIVE:
                self._clocks.append(later(GRACE, self._become, State.RECONNECTING))

    def _calm(self) -> None:
        for clock in self._clocks:
            clock.cancel()
        self._clocks.clear()

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._owner.turned(state)


def pause(
    attempt: int, chance: Callable[[], float] = random.random, later: float | None = None
) -> float:
    """Seconds to wait after the ``attempt``-th failure in a row, counted from 0; ``later`` are those that the server
    wants to have first.

    >>> pause(0, lambda: 1.0), pause(3, lambda: 0.5), pause(5000, lambda: 1.0), pause(0, lambda: 1.0, 3600)
    (0.75, 2.25, 30.25, 60.75)
    """
    jitter = 0.25 + chance() * min(30.0, 0.5 * 2.0 ** min(attempt, 6))
    return min(later or 0.0, LONGEST) + jitter


def endpoint(url: str) -> str:
    """The WebSocket address of a server that is known by any of its addresses; raises ValueError.

    >>> endpoint("http://localhost:8000")
    'ws://localhost:8000/event/realtime'
    >>> endpoint("https://scores.example/event")
    'wss://scores.example/event/realtime'
    """
    parts = urlsplit(url.strip())
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    try:
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        named = False
    if scheme is None or not named:
        raise ValueError(f"{url!r} is no address of a server: one looks like http://127.0.0.1:8000")
    path = parts.path.rstrip("/").removesuffix("/realtime").removesuffix("/event")
    return f"{scheme}://{parts.netloc}{path}/event/realtime"


def hint(reason: str) -> float:
    """Seconds after which a server that restarts wants to see this client again; 0 if it does not say.

    >>> hint("the server restarts, come back in 2.250 s"), hint("come back in 1e9 s"), hint("come back soon")
    (2.25, 0.0, 0.0)
    """
    found = re.search(rf"{COME_BACK_IN}(\d+(?:\.\d+)?) s$", reason)
    return float(found[1]) if found else 0.0


class _TurnedAway(WebSocketException):
    """Refused for now: another attempt may be taken in."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(str(refusal))
        self.retry_after = refusal.retry_after


def _verdict(refusal: Refused) -> Exception:
    return refusal if refusal.error_type in FINAL else _TurnedAway(refusal)


def _header_protocol(members: Mapping[str, str]) -> Subprotocol:
    """Credentials as a browser must send them: a header is not for it to set (AppSync Events guide)."""
    text = json.dumps(members).encode()
    return Subprotocol(HEADER_PROTOCOL + base64.urlsafe_b64encode(text).decode().rstrip("="))


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    text = str(error)
    # asyncio wraps the system's words in addresses, once for each address that a name has.
    number = re.search(r"\[Errno (\d+)\]", text)
    return os.strerror(int(number[1])).lower() if number else text or type(error).__name__
