"""Runs the application under uvicorn: binds, says where it is, and drains when told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import signal
import socket
import ssl
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from leaderboard.addresses import lan_address
from leaderboard.direct import DirectProtocol
from leaderboard.doorway import doorway
from leaderboard.engines import open_engine
from leaderboard.patience import PatientProtocol, door
from leaderboard.realtime import Realtime
from leaderboard.settings import Settings

SEND_BUFFER = 128 * 1024
"""Kernel send buffer: room for a burst, not for seconds of stale snapshots (Linux' own grows to megabytes)."""
BACKLOG = 2048
"""Connections that may wait to be accepted: a room full of phones in the same second."""


class CannotListen(Exception):
    """The address cannot be listened on; the text says why and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; raises `CannotListen`."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, proto)
    except OSError as error:
        raise CannotListen(f"{host!r} is no address of this machine: {error.strerror}") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # connections inherit it
        bound.bind(address)
        # Here, not in the loop: another server on the port shows only now.
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        reason = error.strerror or str(error)
        raise CannotListen(
            f"Cannot listen on {host}:{port}: {reason}. Try --port 0 for any free port."
        ) from None
    return bound


def check_engine(settings: Settings) -> None:
    """Raises `CannotOpen` where boards could not live, before anybody is let in."""

    async def check() -> None:
        engine = open_engine(settings.engine_url, settings.limits)
        await engine.start()
        await engine.stop()

    asyncio.run(check())


def run(
    app: FastAPI,
    settings: Settings,
    bound: list[socket.socket],
    ready: Callable[[], None],
    *,
    plain_asgi: bool = False,
    tls: ssl.SSLContext | None = None,
    parent: int | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; ``ready`` runs once connections are accepted.

    ``parent`` is a descriptor that becomes readable when the process that has started this one is gone: then it ends.
    """
    # What start-up made lives as long as the process: the collector need not walk over it again and again.
    gc.collect()
    gc.freeze()
    with _signals_ignored():
        serving = server(app, settings, ready, plain_asgi=plain_asgi, tls=tls)
        serving.parent = parent
        serving.run(sockets=bound)


def server(
    app: FastAPI,
    settings: Settings,
    ready: Callable[[], None],
    *,
    plain_asgi: bool = False,
    tls: ssl.SSLContext | None = None,
) -> Server:
    """A uvicorn server as this application needs it. ``plain_asgi`` leaves out the fast door, `direct`."""
    limits = settings.limits
    config = uvicorn.Config(
        app,
        # Pages and scripts are fetched over a few sockets each, beside the one that stays.
        http=doorway(limits.request, limits.stuck, sockets=2 * limits.connections + 1000),
        ws=door(
            PatientProtocol if plain_asgi else DirectProtocol,
            app.state.unfinished,
            limits.stuck,
        ),
        ws_max_size=int(limits.frame),
        # Every browser offers deflate; accepting it halves fan-out and doubles memory per connection.
        ws_per_message_deflate=False,
        ssl_context_factory=None if tls is None else lambda *_: tls,
        backlog=BACKLOG,
        timeout_graceful_shutdown=2,
        access_log=False,  # paths of a chatty page are no news, and a query may hold what must not be logged
        log_config=None,  # `logs` has its own
        log_level="warning",
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[str(proxy) for proxy in settings.trusted_proxies],
    )
    return Server(config, app.state.realtime, ready)


class Server(uvicorn.Server):
    """uvicorn closes its connections before the application hears of the end; ours drains them first."""

    def __init__(
        self, config: uvicorn.Config, realtime: Realtime, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._realtime = realtime
        self._ready = ready
        self.parent: int | None = None
        """A descriptor that becomes readable when the server shall end."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()
            if self.parent is not None:
                asyncio.get_running_loop().add_reader(self.parent, self._orphaned, self.parent)

    def _orphaned(self, parent: int) -> None:
        asyncio.get_running_loop().remove_reader(parent)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for bound in sockets or []:
            bound.close()
        await self._realtime.drain()
        await super().shutdown(sockets)


@contextlib.contextmanager
def _signals_ignored() -> Iterator[None]:
    """uvicorn raises the signal that stopped it once more when it is done: a drained server ends with 0, not by it."""
    caught = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: None) for number in caught]
    try:
        yield
    finally:
        for number, handler in zip(caught, before, strict=True):
            signal.signal(number, handler)


def urls(settings: Settings, bound: socket.socket) -> list[str]:
    """Where the server can be reached, best first: the public URL, this network's address, this machine's."""
    host, port = bound.getsockname()[:2]
    address = ipaddress.ip_address(host)
    scheme = "https" if settings.tls_cert else "http"
    found = [settings.public_url] if settings.public_url else []
    if address.is_unspecified:
        lan = lan_address()
        found += [f"{scheme}://{lan}:{port}"] if lan else []
        host = "127.0.0.1"
    shown = f"[{host}]" if address.version == 6 and not address.is_unspecified else host
    return [*found, f"{scheme}://{shown}:{port}"]
