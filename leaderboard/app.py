"""`create_app` wires everything and owns the lifespan."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from leaderboard import (
    __version__,
    api,
    asyncapi,
    backstage,
    configurator,
    embeds,
    handouts,
    host,
    oembed,
    pages,
    picture,
    play,
    seats,
    stage,
    workshop,
)
from leaderboard.answers import refused
from leaderboard.assets import STATIC
from leaderboard.auth import Authenticator
from leaderboard.bots import Bots
from leaderboard.broker import Broker
from leaderboard.emulation import Emulation, emulated
from leaderboard.engines import open_engine
from leaderboard.errors import BadRequest, ResourceNotFound
from leaderboard.files import Files
from leaderboard.handlers import Handlers
from leaderboard.limits import Rates
from leaderboard.logs import request_id
from leaderboard.metrics import Metrics
from leaderboard.operations import Operations
from leaderboard.patience import Unfinished
from leaderboard.realtime import Realtime
from leaderboard.rendering import error_page
from leaderboard.replies import new_identifier
from leaderboard.session import Session
from leaderboard.settings import ConfigError, Settings
from leaderboard.sharing import Issued
from leaderboard.strict import StrictSession

log = logging.getLogger(__name__)

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CROSS_ORIGIN = ("/event", "/api/", "/static/")
"""What pages of other sites may use: publishing, reading, and the scripts that do both."""


def may_share(settings: Settings) -> None:
    """Raises `ConfigError` where an engine is shared and there is nothing by which its processes would know each other:
    a secret and a key that one makes for itself no other has."""
    engine = str(settings.engine_url).partition(":")[0]
    there = {"secret": settings.secret.get_secret_value(), "api_keys": settings.api_keys}
    missing = [name for name, value in there.items() if not value]
    if engine != "memory" and missing:
        raise ConfigError(
            f"with {engine}:// every process needs the same {' and '.join(missing)}: set them, since what one makes "
            "for itself no other knows"
        )


def create_app(settings: Settings, sources: Mapping[str, str] | None = None) -> FastAPI:
    """The whole server as an ASGI application. Raises `ConfigError` for settings that contradict each other.

    ``sources`` tell where settings come from, by dotted name.
    """
    may_share(settings)
    settings, differences = emulated(settings) if settings.emulate else (settings, [])
    emulation = Emulation(differences) if settings.emulate else None
    metrics = Metrics()
    auth = Authenticator(settings)
    try:
        engine = open_engine(settings.engine_url, settings.limits, settings.namespaces)
    except ValueError as error:
        raise ConfigError(f"engine_url: {error}") from None
    broker = Broker(engine, settings.namespaces, metrics)
    operations = Operations(broker, auth, Handlers(settings.namespaces), settings.limits)
    sessions = Session if emulation is None else StrictSession.of(emulation)
    realtime = Realtime(operations, settings.limits, sessions)
    bots = Bots(operations)

    def revoked(token_id: str, until: float) -> None:
        auth.revoke(token_id, until)
        realtime.end_grants()

    engine.revoked = revoked
    metrics.gauges = lambda: {
        "ActiveConnections": len(realtime),
        "ActiveSubscriptions": broker.hub.size,
        "ActiveBoards": len(broker.hub.audiences),
        "LongestPass": broker.longest_pass(),
        "Tasks": len(asyncio.all_tasks()),
        "EngineReached": float(broker.healthy),
    }

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await broker.start()
        bots.start()
        yield
        await bots.stop()
        await realtime.drain()
        await broker.stop()

    app = FastAPI(
        title="leaderboard",
        version=__version__,
        summary="Real-time leaderboards over one WebSocket that speaks AppSync Events.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own pages load scripts from another host; ours is in `pages`
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.sources = sources or {}
    app.state.started = time.time()
    app.state.auth = auth
    app.state.broker = broker
    app.state.emulation = emulation
    app.state.operations = operations
    app.state.realtime = realtime
    app.state.bots = bots
    app.state.links = Issued(broker, auth)
    app.state.unfinished = Unfinished(int(settings.limits.unfinished), settings.limits.request)
    app.state.exports = set[object]()
    app.state.joins = Rates(settings.limits.joins_per_second, "joins from one address")
    app.include_router(api.router())
    # A picture of a board is no board: it is asked for before them.
    for room in (
        backstage,
        configurator,
        embeds,
        handouts,  # before the controls of `stage`, whose address has a place for any word
        host,
        oembed,
        picture,
        pages,
        play,
        seats,
        stage,
        workshop,
    ):
        app.include_router(room.router())

    async def serve(websocket: WebSocket) -> None:
        await realtime.serve(websocket)

    app.add_api_websocket_route(asyncapi.PATH, serve)
    app.mount("/static", Files(STATIC))
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_middleware(_CrossOrigin)
    app.add_middleware(_Guarded)  # so far out that it sees every answer
    app.add_middleware(_Identified)
    generate = app.openapi
    app.openapi = lambda: _with_schemas(generate())  # type: ignore[method-assign]
    return app


def _with_schemas(document: dict[str, Any]) -> dict[str, Any]:
    document.setdefault("components", {}).setdefault("schemas", {}).update(api.schemas())
    return document


async def _unrouted(request: Request, error: Exception) -> Response:
    """What no route answers: a page for a browser, AppSync's shape for everybody else."""
    if not isinstance(error, HTTPException):
        raise error
    if "text/html" in request.headers.get("accept", ""):
        return error_page(request, error.status_code)
    refusal = ResourceNotFound if error.status_code == 404 else BadRequest
    return refused(refusal(error.detail), error.status_code, error.headers)


class _CrossOrigin:
    """CORS for what other sites may use, and only for that. No cookie is ever accepted there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._cors = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "POST"],
            allow_headers=[
                "content-type",
                "x-api-key",
                "authorization",
                "x-amz-date",
                "x-amz-security-token",
                "x-amz-user-agent",
                "if-none-match",
            ],
            expose_headers=["x-amzn-errortype", "x-request-id", "etag", "retry-after"],
            max_age=3600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        foreign = scope["type"] == "http" and scope["path"].startswith(CROSS_ORIGIN)
        await (self._cors if foreign else self._app)(scope, receive, send)


class _Guarded:
    """What browsers are told with every answer that does not say otherwise itself, as pages and pictures do."""

    DEFAULTS: ClassVar = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        # Data is no document: whoever opens it as one gets nothing that runs, and nobody frames it.
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    }

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.DEFAULTS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, guarded if scope["type"] == "http" else send)


class _Identified:
    """Gives each HTTP request an id: for its lines in the log, and in its answer. A balancer's id is kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        id_ = given if _ID.fullmatch(given) else new_identifier()
        named = request_id.set(id_)
        began, status = time.monotonic(), 0

        async def send_identified(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = id_
            await send(message)

        try:
            await self._app(scope, receive, send_identified)
        finally:
            if log.isEnabledFor(logging.DEBUG):
                # The route, not the path: what a client has put there is its own.
                route = getattr(scope.get("route"), "path_format", "(no route)")
                milliseconds = round((time.monotonic() - began) * 1000, 1)
                extra = {"status": status, "ms": milliseconds}
                log.debug("%s %s", scope["method"], route, extra=extra)
            request_id.reset(named)
