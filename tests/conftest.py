"""A real server for every test that wants one: uvicorn on a free port, as `leaderboard serve` runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from leaderboard import serving
from leaderboard.app import create_app
from leaderboard.settings import ApiKey, Settings
from tests.appsync import Client, connect

ADMIN = "da2-admin-key-of-the-tests"
HOST = "da2-host-key-of-the-tests"
SCOREKEEPER = "da2-scorekeeper-key-of-the-tests"
VIEWER = "pk_viewer"


@dataclass
class Server:
    """A running server and who to reach it as."""

    app: FastAPI
    settings: Settings
    port: int
    stop: Callable[[], Awaitable[None]]
    """Drain and end it, as SIGTERM does; returns when it has ended."""
    _stack: AsyncExitStack

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/event/realtime"

    async def client(self, key: str | None = ADMIN, **options: Any) -> Client:
        """A connection that lasts until the test ends."""
        return await self._stack.enter_async_context(connect(self.socket_url, key, **options))

    async def http(self, key: str | None = None) -> httpx.AsyncClient:
        """An HTTP client that lasts until the test ends."""
        headers = {"x-api-key": key} if key else {}
        client = httpx.AsyncClient(base_url=self.url, headers=headers)
        return await self._stack.enter_async_context(client)


@asynccontextmanager
async def running(port: int = 0, **values: Any) -> AsyncIterator[Server]:
    """A server with these settings, on a free port or on a given one."""
    keys = (
        ApiKey(key=SecretStr(ADMIN), role="admin"),
        ApiKey(key=SecretStr(HOST), role="host"),
        ApiKey(key=SecretStr(SCOREKEEPER), role="scorekeeper"),
    )
    settings = Settings(**{"api_keys": keys, **values})
    app = create_app(settings)
    bound = serving.listen("127.0.0.1", port)
    ready = asyncio.Event()
    server = serving.server(app, settings, ready.set)
    task = asyncio.create_task(server.serve(sockets=[bound]))

    async def stop() -> None:
        server.should_exit = True
        await task

    async with AsyncExitStack() as stack:
        await ready.wait()
        yield Server(app, settings, bound.getsockname()[1], stop, stack)
    await stop()


Start = Callable[..., Awaitable[Server]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start servers with settings of the test's own; all end with the test."""
    async with AsyncExitStack() as stack:

        async def start(port: int = 0, **values: Any) -> Server:
            return await stack.enter_async_context(running(port, **values))

        yield start


@pytest.fixture
async def server(start: Start) -> Server:
    """A server with the default settings and one key per role."""
    return await start()
