"""A real server for every test that wants one: uvicorn on a free port, as `leaderboard serve` runs it.

And every engine for those that test the contract of engines.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import httpx
import hypothesis
import pytest
import pytest_asyncio
from fastapi import FastAPI
from pydantic import SecretStr
from uvicorn.loops.auto import auto_loop_factory

from leaderboard import serving
from leaderboard.app import create_app
from leaderboard.engines.memory import MemoryEngine
from leaderboard.engines.redis import RedisEngine
from leaderboard.settings import ApiKey, Limits, Settings
from tests.appsync import Client, connect, credentials
from tests.engines import ENGINES, Open, Opener, World, opened
from tests.rawsocket import RawSocket
from tests.redis_server import RedisServer

# How long an example takes says something of the machine, not of the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

ADMIN = "da2-admin-key-of-the-tests"
HOST = "da2-host-key-of-the-tests"
SCOREKEEPER = "da2-scorekeeper-key-of-the-tests"
VIEWER = "pk_viewer"


def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: tests wait for servers and clocks about as long as they compute."""
    return 2 * (os.cpu_count() or 1)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that `leaderboard serve` runs on."""
    return {"uvicorn's": auto_loop_factory()}


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

    async def raw(self, key: str | None = ADMIN, **options: Any) -> RawSocket:
        """A connection without a library's manners, that lasts until the test ends."""
        opened = await RawSocket.open(self.port, key, **options)
        self._stack.callback(opened.close)
        return opened

    async def http(self, key: str | None = None, token: str | None = None) -> httpx.AsyncClient:
        """An HTTP client that lasts until the test ends."""
        client = httpx.AsyncClient(base_url=self.url, headers=credentials(key, token))
        return await self._stack.enter_async_context(client)


@asynccontextmanager
async def running(
    port: int = 0,
    send_buffer: int | None = None,
    *,
    plain_asgi: bool = False,
    pings: float | None = None,
    **values: Any,
) -> AsyncIterator[Server]:
    """A server with these settings, on a free port or on a given one.

    With a small ``send_buffer`` the kernel takes little for a client that does not read, so the server notices soon.
    ``pings`` are the seconds between uvicorn's own, and those that a client has to answer one.
    """
    keys = (
        ApiKey(key=SecretStr(ADMIN), role="admin"),
        ApiKey(key=SecretStr(HOST), role="host"),
        ApiKey(key=SecretStr(SCOREKEEPER), role="scorekeeper"),
    )
    settings = Settings(**{"api_keys": keys, **values})
    app = create_app(settings)
    bound = serving.listen("127.0.0.1", port)
    if send_buffer is not None:  # accepted sockets inherit it
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    ready = asyncio.Event()
    server = serving.server(app, settings, ready.set, plain_asgi=plain_asgi)
    if pings is not None:
        server.config.ws_ping_interval = server.config.ws_ping_timeout = pings
    task = asyncio.create_task(server.serve(sockets=[bound]))

    async def stop() -> None:
        server.should_exit = True
        await task

    try:
        async with AsyncExitStack() as stack:
            await ready.wait()
            yield Server(app, settings, bound.getsockname()[1], stop, stack)
    finally:  # of a test that fails too: what is left of a server keeps the loop from ending
        await stop()


Start = Callable[..., Awaitable[Server]]


@pytest.fixture(params=["direct", "plain"])
async def start(request: pytest.FixtureRequest) -> AsyncIterator[Start]:
    """Start servers with settings of the test's own; all end with the test. Each test runs on either door."""
    async with AsyncExitStack() as stack:

        async def start(port: int = 0, **values: Any) -> Server:
            plain = request.param == "plain"
            return await stack.enter_async_context(running(port, plain_asgi=plain, **values))

        yield start


@pytest.fixture
async def server(start: Start) -> Server:
    """A server with the default settings and one key per role."""
    return await start()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["direct", "plain"])
async def module_server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """A server for a module; tests take `shared`. Each runs on either door."""
    plain = request.param == "plain"
    async with running(plain_asgi=plain, limits={"publishes_per_second": 0}) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def shared(module_server: Server) -> AsyncIterator[Server]:
    """The one server of a module of many small tests, without a rate; each test has connections of its own.

    For modules with ``pytestmark = pytest.mark.asyncio(loop_scope="module")``, whose tests use a `board` of their own.
    """
    async with AsyncExitStack() as stack:
        yield replace(module_server, _stack=stack)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis server of this run's own, which keeps nothing."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The same of Valkey."""
    with RedisServer(tmp_path_factory.mktemp("valkey"), program="valkey-server") as server:
        yield server


_boards = itertools.count(1)


@pytest.fixture
def board() -> str:
    """A board channel that no other test has used."""
    return f"/leaderboard/test-{next(_boards)}"


@pytest.fixture(params=ENGINES)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Opener]:
    """Opens the engine under test with limits of the test's own; in a test one at a time."""
    redis: RedisServer | None = None
    open_: Open = MemoryEngine
    if request.param != "memory":
        redis = request.getfixturevalue(f"{request.param}_server")
        assert redis is not None
        # As the user who may do what docs/scaling.md says and no more.
        open_ = partial(RedisEngine, redis.admitted)
    async with AsyncExitStack() as stack:

        async def engine(**limits: Any) -> World:
            if redis is not None:
                await redis.empty()
            return await stack.enter_async_context(opened(open_, Limits(**limits)))

        yield engine


@pytest.fixture
async def world(engine: Opener) -> World:
    """The engine under test with the default limits."""
    return await engine()
