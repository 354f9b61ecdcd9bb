"""The link to one Redis server: a queue of commands, sent in the order in which they came, and an ear for messages.

What waits while an answer is on its way is sent together after it, so the busier a server is, the larger the pipeline
and the less each command costs. A command is answered once: with what the server said, or with why it did not. While
the server cannot be reached, commands are refused at once; nothing that may be done is ever sent twice.

Time limits are `asyncio.timeout` and ours, never `wait_for` nor the driver's: a cancellation that meets the end of what
`wait_for` waits for is lost in Python 3.11, and whoever waits for the task to end waits forever.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from redis.asyncio.connection import Connection
from redis.exceptions import (
    AuthenticationError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from leaderboard.engines.places import GONE, Address, Places, Unusable, told_in
from leaderboard.engines.scripts import Script
from leaderboard.errors import EngineFull, EngineUnavailable, OutcomeUnknown, Refusal

log = logging.getLogger(__name__)

TOGETHER = 500
"""Commands in one pipeline: some milliseconds of the server's time."""
WAITING = 50_000
"""Commands that may wait: a server is at most seconds behind."""
PATIENCE = (0.05, 0.1, 0.25, 0.5)
"""Seconds between attempts to reach a server."""
SILENCE = 5.0
"""Seconds after which one who only listens asks whether there is still somebody."""

Done = Callable[[Any], None]


class _Command(Struct, gc=False):
    words: tuple[Any, ...]
    done: Done
    script: Script | None


class Link:
    """A server of `places`. ``reached`` is told when it can be reached and when not; ``heard`` gets messages.

    A script is asked for by `run`, another command by `send`; ``done`` gets the server's answer or a `Refusal`.
    """

    def __init__(
        self,
        address: Address,
        places: Places,
        scripts: Mapping[str, Script],
        reached: Callable[[Link], None],
        heard: Callable[[bytes, bytes], None],
    ) -> None:
        self.address = address
        self.up = False
        self.moved = False
        """Whether the server says that it is not in charge any more."""
        self.server = ""
        """What the server calls itself, another name at each of its starts; "" where it may not be asked."""
        self.trouble = ""
        """Why it cannot be reached, or could not when that was last tried."""
        self._refused_with: set[str] = set()
        """The errors that it has answered with since it last did what it was asked."""
        self._places = places
        self._scripts = scripts
        self._reached = reached
        self._heard = heard
        self._queue: deque[_Command] = deque()
        self._wake = asyncio.Event()
        self._channels: tuple[str, ...] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self._listening: asyncio.Future[None] | None = None
        self._connection: Connection | None = None

    @property
    def begun(self) -> bool:
        """Whether it is at work, or trying to be."""
        return bool(self._tasks)

    async def open(self, channels: Sequence[str]) -> None:
        """Reach the server and listen to channels. Raises `Unusable`, or what keeps it from being reached."""
        self._channels = tuple(channels)
        self._connection = await self._connect()
        self._listening = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._listen())]
        async with asyncio.timeout(5 * self._places.patience):
            await self._listening

    def begin(self, channels: Sequence[str]) -> None:
        """As `open`, but without waiting for it."""
        self._channels = tuple(channels)
        self._tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._listen())]

    async def listen_to(self, channels: Sequence[str]) -> None:
        """Listen to other channels than before."""
        if self._channels != tuple(channels):
            self._channels = tuple(channels)
            await end(self._tasks[1:])  # two would hear some things twice
            self._tasks[1] = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Let go of the server. What waits for an answer is refused, and so is what is asked from now on."""
        self.up = False
        await end(self._tasks)
        if self._connection is not None:
            with contextlib.suppress(*GONE):
                await self._connection.disconnect(nowait=True)
        self._refuse_all()

    def run(self, name: str, base: str, ask: bytes, done: Done) -> None:
        """Run a script on a partition."""
        script = self._scripts[name]
        self._put(_Command(("EVALSHA", script.sha, 1, base, ask), done, script))

    def send(self, words: tuple[Any, ...], done: Done) -> None:
        """Send any other command."""
        self._put(_Command(words, done, None))

    def _put(self, command: _Command) -> None:
        if not self.up or len(self._queue) >= WAITING:
            command.done(EngineUnavailable())
            return
        self._queue.append(command)
        self._wake.set()

    # -- commands -----------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            if self._connection is None:
                self._connection = await self._reach()
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
            together = [self._queue.popleft() for _ in range(min(TOGETHER, len(self._queue)))]
            await self._exchange(self._connection, together)

    async def _exchange(self, connection: Connection, together: list[_Command]) -> None:
        answered = 0
        unknown: list[_Command] = []
        patience, now = self._places.patience, asyncio.get_running_loop().time
        try:
            packed = connection.pack_commands([command.words for command in together])
            async with asyncio.timeout(patience) as silence:
                await connection.send_packed_command(packed, check_health=False)
                for command in together:
                    try:
                        answer = await connection.read_response()
                    except NoScriptError:
                        unknown.append(command)
                    except ResponseError as error:
                        _answer(command, self._refusal(error))
                    else:
                        if command.script is not None:
                            # This later one ran: somebody else has told the scripts again. They would be out of order.
                            while unknown:
                                _answer(unknown.pop(0), EngineUnavailable())
                        self._refused_with.clear()
                        _answer(command, answer)
                    answered += 1
                    silence.reschedule(now() + patience)
                if unknown:
                    # The server has forgotten the scripts: again in their order, and before all that came later.
                    await self._load(connection)
                    self._queue.extendleft(reversed(unknown))
                    unknown = []
        except BaseException as error:
            # Whatever it is, this connection is no good any more; what was not sent, or not known, was not done.
            self._queue.extendleft(reversed(unknown))
            if isinstance(error, Exception):
                self._lost(error)
            self._refuse_all()
            for command in together[answered:]:
                _answer(command, OutcomeUnknown())
            if not isinstance(error, Exception):
                raise

    def _refusal(self, error: ResponseError) -> Refusal:
        """What an answer that is an error means; the server has done nothing."""
        if isinstance(error, OutOfMemoryError) or str(error).startswith("OOM "):
            return EngineFull()
        if isinstance(error, (MovedError, ReadOnlyError)):
            self.moved = True
            self._reached(self)
        elif str(error) not in self._refused_with:
            # A cluster that is down says so to every command.
            self._refused_with.add(str(error))
            log.error("Redis at %s:%s: %s", *self.address, error)
        return EngineUnavailable()

    async def _reach(self) -> Connection:
        attempt = 0
        while True:
            try:
                return await self._connect()
            except (*GONE, Unusable) as error:
                self._lost(error)
                self._refuse_all()
            await asyncio.sleep(PATIENCE[min(attempt, len(PATIENCE) - 1)])
            attempt += 1

    async def _connect(self) -> Connection:
        connection = self._places.connection(self.address)
        try:
            async with asyncio.timeout(2 * self._places.patience):
                await connection.connect()  # type: ignore[no-untyped-call]
                with contextlib.suppress(NoPermissionError):  # then it has to be taken as it is
                    await connection.send_command("INFO", "server")
                    info = (await connection.read_response()).decode()
                    self._places.check(info)
                    self.server = told_in(info).get("run_id", "")
                await self._load(connection)
        except AuthenticationError as error:
            raise Unusable(f"the server does not take this user and password: {error}") from error
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self.up, self.moved, self.trouble = True, False, ""
        self._reached(self)
        return connection

    async def _load(self, connection: Connection) -> None:
        commands = [("SCRIPT", "LOAD", script.text) for script in self._scripts.values()]
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        for _ in commands:
            await connection.read_response()

    def _lost(self, error: Exception) -> None:
        self._connection = None
        trouble = str(error) or type(error).__name__
        if self.up or trouble != self.trouble:
            log.warning("Redis at %s:%s cannot be reached: %s", *self.address, trouble)
        self.trouble = trouble
        if self.up:
            self.up = False
            self._reached(self)

    def _take_all(self) -> list[_Command]:
        waiting = list(self._queue)
        self._queue.clear()
        return waiting

    def _refuse_all(self) -> None:
        for command in self._take_all():
            _answer(command, EngineUnavailable())

    # -- messages -----------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        attempt = 0
        while True:
            connection = self._places.connection(self.address)
            try:
                async with asyncio.timeout(2 * self._places.patience):
                    await connection.connect()  # type: ignore[no-untyped-call]
                    for channel in self._channels:
                        await connection.send_command(self._places.subscribe, channel)
                attempt = 0
                await self._hear(connection)
            except (RedisError, OSError) as error:
                log.info("Redis at %s:%s cannot be listened to: %s", *self.address, error)
            except Exception:
                log.exception("a message could not be taken")
            finally:
                await connection.disconnect(nowait=True)
            await asyncio.sleep(PATIENCE[min(attempt, len(PATIENCE) - 1)])
            attempt += 1

    async def _hear(self, connection: Connection) -> None:
        asked, confirmed = False, 0
        while True:
            said = await connection.read_response(timeout=SILENCE)
            if said is None:
                if asked:
                    raise OSError("silence")
                asked = True
                await connection.send_command("PING", check_health=False)
                continue
            asked = False
            if said[0] in (b"message", b"smessage"):
                self._heard(said[1], said[2])
            elif said[0] in (b"subscribe", b"ssubscribe"):
                confirmed += 1
                ready = self._listening
                if confirmed == len(self._channels) and ready is not None and not ready.done():
                    ready.set_result(None)


def _answer(command: _Command, answer: Any) -> None:
    try:
        command.done(answer)
    except Exception:
        log.exception("an answer of Redis could not be taken")


async def end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended: one whose cancellation is lost on the way, in the driver, is told again."""
    while going := [task for task in tasks if not task.done()]:
        for task in going:
            task.cancel()
        await asyncio.wait(going, timeout=0.2)
