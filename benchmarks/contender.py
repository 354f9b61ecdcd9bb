"""One server under one load: checked once by a client that is not ours, then measured as often as one likes."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from benchmarks.environment import LOAD
from benchmarks.machine import LOAD_CORE, pinned
from benchmarks.servers import Server, Talk

FIRST_NUMBER = 1_000_000_000
"""What the load generator's numbers begin with; here it stands for all of them."""

PATIENCE = 20.0
"""Seconds after which what is expected is not coming."""

Load = Mapping[str, float | str]
Measured = Mapping[str, Any]


class Invalid(Exception):
    """A server did not send what it should have sent."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A row of a table: a server, what is said to it, and the load generator's options."""

    name: str
    server: Server
    talk: Talk
    load: Load = field(default_factory=dict)
    """Options of the load generator, with ``_`` for ``-``."""
    alone: Server | None = None
    """The server as it is checked with a single subscriber, where it must know how many there are."""

    def check(self) -> str:
        """What is counted, once, as an independent client gets it; "" where connections are all that counts.

        Raises `Invalid` unless it is one whole JSON value.
        """
        with (self.alone or self.server).running() as (port, _):
            frame = asyncio.run(_first_counted(f"ws://127.0.0.1:{port}", self.talk))
        try:
            if frame:
                json.loads(frame.lstrip("0123456789"))  # Socket.IO writes numbers in front
        except ValueError:
            raise Invalid(f"{self.name} sent {frame!r}") from None
        return frame

    def measure(self) -> Measured:
        """Start the server, load it, end it: what the load generator counted."""
        load = [
            part
            for name, value in self.load.items()
            for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        with self.server.running() as (port, process):
            target = ["--port", str(port), "--server", str(process)]
            command = pinned(LOAD_CORE, LOAD, *target, *load, *self.talk.options())
            finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode:
            raise Invalid(f"{self.name}: {finished.stderr.strip()}")
        measured: Measured = json.loads(finished.stdout)
        return measured


async def _first_counted(url: str, talk: Talk) -> str:
    """The first delivery, where none is counted the first answer, and "" where nobody publishes either."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(PATIENCE))

        async def connected(path: str, hellos: Iterable[str]) -> ClientConnection:
            offered = [Subprotocol(part.strip()) for part in talk.protocol.split(",") if part]
            client = await stack.enter_async_context(
                websockets.connect(url + path, subprotocols=offered or None, compression=None)
            )
            for hello in hellos:
                await client.send(hello)
                await _frame(client, talk.ready)
            return client

        subscriber = await connected(talk.path, talk.hellos)
        if not talk.publish:
            return await _frame(subscriber, talk.delivery) if talk.delivery else ""
        publisher = await connected(talk.publisher_path or talk.path, talk.publisher_hellos)
        await publisher.send(filled(talk.publish))
        answer = await _frame(publisher, talk.answer)
        return await _frame(subscriber, talk.delivery) if talk.delivery else answer


def filled(template: str) -> str:
    """A publish as the load generator would send it."""
    for name in ("{number}", "{random}", "{player}"):
        template = template.replace(name, str(FIRST_NUMBER))
    return template


async def _frame(client: ClientConnection, prefix: str) -> str:
    """The first text frame with a prefix. The client fails the connection for anything that RFC 6455 forbids."""
    while True:
        frame = await client.recv()
        if isinstance(frame, str) and frame.startswith(prefix):
            return frame
