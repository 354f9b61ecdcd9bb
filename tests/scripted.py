"""A server in the test's hands: the client's own transport, so that a test says what comes, when, and what breaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close
from websockets.typing import Subprotocol

from leaderboard.client import Environment

PATIENCE = 10.0


class Connection:
    """One connection, as the server sees it."""

    def __init__(self) -> None:
        self._to_client: asyncio.Queue[str | Exception] = asyncio.Queue()
        self._from_client: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed = asyncio.Event()
        """The client has closed it."""

    # what the client sees
    async def recv(self) -> str:
        item = await self._to_client.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def send(self, message: str, /) -> None:
        self._from_client.put_nowait(json.loads(message))

    async def close(self) -> None:
        self.closed.set()

    # what the test does
    def say(self, **frame: Any) -> None:
        self._to_client.put_nowait(json.dumps(frame))

    def say_raw(self, text: str) -> None:
        self._to_client.put_nowait(text)

    def cut(self, code: int | None = None, reason: str = "") -> None:
        """The connection breaks, or is closed with a code."""
        close = None if code is None else Close(code, reason)
        self._to_client.put_nowait(ConnectionClosedError(close, None))

    async def heard(self, kind: str) -> dict[str, Any]:
        """The next frame of the client, which must be of this type."""
        async with asyncio.timeout(PATIENCE):
            frame = await self._from_client.get()
        assert frame["type"] == kind
        return frame

    async def acknowledge(self, timeout_ms: int = 300_000) -> None:
        await self.heard("connection_init")
        self.say(type="connection_ack", connectionTimeoutMs=timeout_ms)

    async def accept(self) -> str:
        """Agree to the next subscribe; its id."""
        id_ = (await self.heard("subscribe"))["id"]
        self.say(type="subscribe_success", id=id_)
        return str(id_)

    def snapshot(self, id_: str, **members: Any) -> None:
        """Send a snapshot."""
        whole = {
            "type": "snapshot",
            "channel": "/leaderboard/arcade",
            "epoch": "e1",
            "version": 1,
            "round": {"number": 1, "state": "open", "frozen": False},
            "total": 0,
            "rows": [],
            **members,
        }
        self.say(type="data", id=id_, event=json.dumps(whole))


class World:
    """What the client meets: each dial is answered by the test, and pauses are noted and cost no time."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self._dialled: asyncio.Queue[asyncio.Future[Connection]] = asyncio.Queue()

    @property
    def environment(self) -> Environment:
        return Environment(dial=self._dial, sleep=self._sleep, chance=lambda: 1.0)

    async def _dial(self, url: str, protocols: Sequence[Subprotocol]) -> Connection:
        answer: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self._dialled.put_nowait(answer)
        return await answer

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def answer(self) -> Connection:
        """Take the next dial."""
        connection = Connection()
        (await self._next()).set_result(connection)
        return connection

    async def refuse(self) -> None:
        """Nobody answers the next dial."""
        (await self._next()).set_exception(ConnectionRefusedError(111, "Connection refused"))

    async def _next(self) -> asyncio.Future[Connection]:
        async with asyncio.timeout(PATIENCE):
            return await self._dialled.get()
