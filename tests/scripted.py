"""A server in the test's hands: the client's own transport, so that a test says what comes, when, and what breaks.

`play` plays a case of `tests.link_facts` with it, in a `Hurried` loop, whose time passes as soon as nobody has anything
left to do.
"""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close
from websockets.typing import Subprotocol

from leaderboard.client import Client, ClientError, Environment, Refused, State
from tests.link_facts import Step

PATIENCE = 10.0


class Connection:
    """One connection, as the server sees it."""

    def __init__(self) -> None:
        self._to_client: asyncio.Queue[str | Exception] = asyncio.Queue()
        self._from_client: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.said: list[str] = []
        """Type and id of each frame of the client."""
        self.closed = asyncio.Event()
        """The client has closed it."""

    # what the client sees
    async def recv(self) -> str:
        item = await self._to_client.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def send(self, message: str, /) -> None:
        frame = json.loads(message)
        self.said.append(f"{frame['type']} {frame.get('id', '')}".strip())
        self._from_client.put_nowait(frame)

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

    async def acknowledge(self, timeout_ms: int | None = 300_000) -> None:
        await self.heard("connection_init")
        promise = {} if timeout_ms is None else {"connectionTimeoutMs": timeout_ms}
        self.say(type="connection_ack", **promise)

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


async def _no_time(_: float) -> None:
    await asyncio.sleep(0)


def _ms() -> int:
    return round(asyncio.get_running_loop().time() * 1000)


class World:
    """What the client meets: each dial is answered by the test, and pauses are noted and cost no time."""

    def __init__(self, sleep: Callable[[float], Awaitable[object]] = _no_time) -> None:
        self.pauses: list[float] = []
        self.dials: list[int] = []
        """When it was dialled, in ms on the loop's clock."""
        self._sleeps = sleep
        self._dialled: asyncio.Queue[asyncio.Future[Connection]] = asyncio.Queue()

    @property
    def environment(self) -> Environment:
        return Environment(dial=self._dial, sleep=self._sleep, chance=lambda: 1.0)

    async def _dial(self, url: str, protocols: Sequence[Subprotocol]) -> Connection:
        self.dials.append(_ms())
        answer: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self._dialled.put_nowait(answer)
        return await answer

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self._sleeps(seconds)

    async def answer(self) -> Connection:
        """Take the next dial."""
        connection = Connection()
        (await self._next()).set_result(connection)
        return connection

    async def refuse(self, error: Exception | None = None) -> None:
        """Nobody answers the next dial, or not as it should be."""
        refused = error or ConnectionRefusedError(111, "Connection refused")
        (await self._next()).set_exception(refused)

    async def _next(self) -> asyncio.Future[Connection]:
        async with asyncio.timeout(PATIENCE):
            while (dial := await self._dialled.get()).done():
                pass  # given up in the meantime
            return dial


# -- a play ------------------------------------------------------------------------------------------------------------


class _Impatient(selectors.DefaultSelector):
    """Nothing comes from outside: instead of waiting for it, the time goes on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits, and for nothing"
            self.now += max(0.0, timeout)
        return ready


class Hurried(asyncio.SelectorEventLoop):
    """A loop whose clock begins at 0, and goes to the next timer when nothing else is left to do."""

    def __init__(self) -> None:
        self._impatient = _Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        return self._impatient.now


def play(steps: Sequence[Step]) -> dict[str, Any]:
    """What becomes of a client in a play of `tests.link_facts`."""
    with asyncio.Runner(loop_factory=Hurried) as runner:
        return runner.run(_Play().run(steps))


class _Play:
    def __init__(self) -> None:
        self.world = World(asyncio.sleep)
        self.states: list[list[Any]] = []
        self.publishes: list[str | None] = []
        self.ended: list[str | None] = []
        self.seen: list[list[Any]] = []
        self.looks: list[list[str | None]] = []

    async def run(self, steps: Sequence[Step]) -> dict[str, Any]:
        def told(state: State) -> None:
            self.states.append([_ms(), state.value])

        client = Client(
            "http://scores.example", "k", on_state=told, environment=self.world.environment
        )
        tasks = [asyncio.create_task(client.open())]
        server = Connection()
        for verb, *given in steps:
            await _settled()
            match verb:
                case "accept":
                    server = await self.world.answer()
                    await server.acknowledge(*given)
                case "open":
                    server = await self.world.answer()
                case "fail":
                    await self.world.refuse()
                case "say":
                    server.say(**given[0])
                case "snapshot":
                    server.snapshot(given[0], **given[1])
                case "mutter":
                    server.say_raw(*given)
                case "break":
                    server.cut(*given)
                case "pass":
                    await asyncio.sleep(given[0] / 1000)
                case "publish":
                    self.publishes.append(None)
                    tasks.append(asyncio.create_task(self._publish(client, *given)))
                case "subscribe":
                    self.ended.append(None)
                    tasks.append(asyncio.create_task(self._watch(client, *given)))
                case "look":
                    self.looks.append(list(self.publishes))
                case "close":
                    await client.close()
        await _settled()
        found = {
            "states": list(self.states),
            "dials": list(self.world.dials),
            "said": list(server.said),
            "publishes": list(self.publishes),
            "ended": list(self.ended),
            "seen": list(self.seen),
            "looks": self.looks,
        }
        await client.close()
        await asyncio.gather(*tasks)
        return found

    async def _publish(self, client: Client, channel: str, event: object) -> None:
        at = len(self.publishes) - 1
        try:
            await client.publish(channel, event)
            self.publishes[at] = "ok"
        except ClientError as error:
            self.publishes[at] = _name(error)

    async def _watch(self, client: Client, channel: str) -> None:
        at = len(self.ended) - 1
        try:
            async with client.subscribe(channel, top=3) as board:
                async for snapshot in board:
                    self.seen.append([snapshot.version, snapshot.reset])
        except ClientError as error:
            self.ended[at] = _name(error)


def _name(error: ClientError) -> str:
    """What JavaScript calls it."""
    return error.error_type if isinstance(error, Refused) else type(error).__name__


async def _settled() -> None:
    """All that can happen now has happened: a timer is next only then."""
    await asyncio.sleep(1e-6)
