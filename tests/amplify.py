"""A client that is not ours: the `aws-amplify` package from npm, in an application of its own that a test steers.

Each application is a node process (`interop/application.js`), because Amplify keeps one connection per process. What
is called here, and what it answers, is Amplify's public API; only the types of the frames that arrive are seen beside
it, since an application is told of no keep-alive.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.needs import needs

APPLICATION = Path(__file__).parent / "interop" / "application.js"
PATIENCE = 20.0
"""Seconds after which what is waited for is not coming: Amplify itself waits for up to ten before it comes back."""
LONGEST_LINE = 16 * 1024**2
WEBSOCKET = 'import { WebSocket } from "ws"; globalThis.WebSocket ??= WebSocket;\n'
"""What a program needs in front on Node.js before 22."""


class Rejected(Exception):
    """A call was rejected: with an Error, whose ``name``, ``message`` and ``body`` these are, or with another value."""

    def __init__(self, reason: Any) -> None:
        super().__init__(json.dumps(reason))
        self.reason = reason

    @property
    def name(self) -> str:
        return str(self.reason["name"])

    @property
    def message(self) -> str:
        return str(self.reason["message"])

    @property
    def body(self) -> Any:
        """The body of the HTTP answer that Amplify made the error of, decoded."""
        return json.loads(self.reason["body"])


@dataclass
class Application:
    """An application that uses Amplify. ``connect`` and ``post`` are functions of `events`."""

    _process: Process
    _names: itertools.count[int] = field(default_factory=itertools.count)
    _calls: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    _told: defaultdict[str, asyncio.Queue[dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(asyncio.Queue)
    )

    async def configure(self, configuration: dict[str, Any], token: str | None = None) -> None:
        """Configure Amplify; with a token, for users who are signed in at an OpenID provider."""
        await self.call("configure", configuration, token)

    async def connect(self, path: str, **options: str) -> Channel:
        channel = Channel(self, self.new_name("channel"))
        await self.call("connect", channel.name, path, options)
        return channel

    async def post(self, path: str, event: Any, **options: str) -> Any:
        return await self.call("post", path, event, options)

    async def sleep(self, seconds: float) -> None:
        """The application's machine sleeps; it is awake again when this returns, at once."""
        await self.call("sleep", seconds)

    async def state(self, wanted: str) -> None:
        """Wait until the connection reaches a state, of those not waited for yet."""
        await self._told_in_turn("state", wanted)

    async def frame(self, wanted: str) -> None:
        """Wait until a frame of a type arrives, of those not waited for yet."""
        await self._told_in_turn("frames", wanted)

    async def call(self, call: str, *arguments: Any) -> Any:
        """What a call of the application resolved to; raises `Rejected`."""
        assert self._process.stdin is not None
        name = self.new_name(call)
        line = {"id": name, "call": call, "arguments": arguments}
        answer = self._calls[name] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        try:
            async with asyncio.timeout(PATIENCE):
                return await answer
        finally:
            del self._calls[name]

    async def told(self, source: str) -> dict[str, Any]:
        """The next thing that a source in the application told, without being asked."""
        async with asyncio.timeout(PATIENCE):
            return await self._told[source].get()

    async def _told_in_turn(self, source: str, wanted: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while (await self._told[source].get())["next"] != wanted:
                pass

    def left(self, source: str) -> list[dict[str, Any]]:
        """All that a source has told and nobody has taken; taken now."""
        told = self._told[source]
        return [told.get_nowait() for _ in range(told.qsize())]

    def new_name(self, kind: str) -> str:
        return f"{kind} {next(self._names)}"

    async def listen(self) -> None:
        """Take the application's lines until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "from" in told:
                self._told[told["from"]].put_nowait(told)
            elif (answer := self._calls.get(told["id"])) is None or answer.done():
                pass  # the test has given up waiting for it
            elif "error" in told:
                answer.set_exception(Rejected(told["error"]))
            else:
                answer.set_result(told.get("value"))
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the application has ended"))


@dataclass
class Channel:
    """What ``events.connect`` resolved to."""

    application: Application
    name: str

    async def subscribe(self, **options: str) -> Subscription:
        """Subscribe, and wait for ``ready``."""
        subscription = self.subscribing()
        await subscription.ready(**options)
        return subscription

    def subscribing(self) -> Subscription:
        """A subscription that is not asked for yet."""
        return Subscription(self, self.application.new_name("subscription"))

    async def publish(self, event: Any, **options: str) -> Any:
        return await self.application.call("publish", self.name, event, options)

    async def close(self) -> None:
        await self.application.call("close", self.name)


@dataclass
class Subscription:
    """What ``channel.subscribe`` returned, and what its observer was called with."""

    channel: Channel
    name: str

    async def ready(self, **options: str) -> str:
        """Subscribe; the id once the server has acknowledged it."""
        application = self.channel.application
        value = await application.call("subscribe", self.channel.name, self.name, options)
        return str(value["subscriptionId"])

    async def message(self) -> dict[str, Any]:
        """What ``next`` was called with."""
        told = await self.channel.application.told(self.name)
        assert "next" in told, f"the observer got an error: {told['error']}"
        return dict(told["next"])

    async def event(self) -> Any:
        """The event of the next message."""
        return (await self.message())["event"]

    async def error(self) -> Any:
        """What ``error`` was called with."""
        told = await self.channel.application.told(self.name)
        assert "error" in told, f"the observer got an event: {told['next']}"
        return told["error"]

    def left(self) -> list[dict[str, Any]]:
        """All that the observer was called with and nobody has taken; taken now."""
        return self.channel.application.left(self.name)

    async def unsubscribe(self) -> None:
        await self.channel.application.call("unsubscribe", self.name)


@asynccontextmanager
async def application(environment: Mapping[str, str]) -> AsyncIterator[Application]:
    """An application that runs until the block ends; then it must end well."""
    node = needs("node")
    needs("node_modules")
    process = await asyncio.create_subprocess_exec(
        *(node, APPLICATION),
        env={**os.environ, **environment},
        stdin=PIPE,
        stdout=PIPE,
        limit=LONGEST_LINE,
    )
    application = Application(process)
    listener = asyncio.create_task(application.listen(), name="listener to an application")
    try:
        yield application
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0, "the application crashed"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await listener


async def line_of(program: str, wanted: str) -> str:
    """The first line with this text in it that a program on Amplify prints; raises `EOFError` if none is to come."""
    needs("node_modules")
    process = await asyncio.create_subprocess_exec(
        *(needs("node"), "--input-type=module", "-"),
        cwd=APPLICATION.parent,
        stdin=PIPE,
        stdout=PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{WEBSOCKET}{program}".encode())
    process.stdin.close()
    try:
        async with asyncio.timeout(PATIENCE):
            async for line in process.stdout:
                if wanted in line.decode():
                    return line.decode()
        raise EOFError(wanted)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
