"""The operators' page, `/-/`: versions, settings, connections, boards, and why clients were refused lately.

The page itself holds nothing and is for everybody; what it shows comes from `/-/now`, for an admin of all channels, who
is known by a header alone: no credential is in an address, and none is kept. It shows one process. `/-/ca.pem` is the
authority of a development certificate.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from leaderboard import __version__, channels
from leaderboard.answers import identified, operations_of, settings_of
from leaderboard.errors import NotAllowed, Refusal, ResourceNotFound
from leaderboard.grants import Grant, Role
from leaderboard.rendering import PageRoute, html_page
from leaderboard.sources import toml

MOST: Final = 100
"""Connections, and boards, that are listed."""
_PARTS: Final = ("uvicorn", "fastapi", "websockets", "msgspec", "pydantic")


def router() -> APIRouter:
    """The routes. They expect ``operations``, ``realtime``, ``settings``, ``sources`` and ``started`` on the state."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    routes.add_api_route("/-", lambda: RedirectResponse("/-/"), methods=["GET", "HEAD"])
    routes.add_api_route("/-/", page, methods=["GET", "HEAD"])
    routes.add_api_route("/-/now", now, methods=["GET"])
    routes.add_api_route("/-/ca.pem", authority, methods=["GET", "HEAD"])
    return routes


async def page(request: Request) -> HTMLResponse:
    """The page, which asks for a key."""
    return html_page(request, "backstage.html", scripted=True)


async def now(request: Request) -> HTMLResponse:
    """What this process is doing, as a fragment; 401 without a credential, 403 with one that is no admin's."""
    operations = operations_of(request)
    try:
        grant = await _looking(request)
        if grant.role < Role.ADMIN or not grant.covers(channels.EVERYTHING):
            raise NotAllowed("Only an admin of all channels may look here.")
    except Refusal as refusal:
        operations.refusals.note("GET /-/now", refusal)
        raise
    realtime = request.app.state.realtime
    boards = await operations.broker.boards(channels.EVERYTHING, limit=MOST)
    answer = html_page(
        request,
        "_backstage.html",
        facts=_facts(request),
        settings="\n".join(toml(settings_of(request), request.app.state.sources)),
        connections=realtime.present(MOST),
        connected=len(realtime),
        boards=[(board, operations.broker.watching(board.channel)) for board in boards],
        refusals=operations.refusals.latest(),
        now=time.time(),
        most=MOST,
    )
    answer.headers["cache-control"] = "no-store"
    return answer


async def _looking(request: Request) -> Grant:
    """Who looks: by a key, on any server, or by what else may publish there."""
    access = operations_of(request).auth.access
    wanted = access.to_publish(channels.EVERYTHING, None, access.caller(request.headers))
    return await identified(request, replace(wanted, modes=wanted.modes | {"API_KEY"}))


def _facts(request: Request) -> dict[str, str]:
    """What runs here."""
    state = request.app.state
    metrics = state.operations.broker.metrics
    values: dict[str, Any] = metrics.gauges()
    engine = str(settings_of(request).engine_url).partition("://")[0]
    libraries = ", ".join(f"{name} {version(name)}" for name in _PARTS)
    return {
        "version": __version__,
        "engine": engine,
        "process": f"{os.getpid()} on {platform.node()}",
        "up for": _lasting(time.time() - state.started),
        "state": "draining" if state.realtime.draining else "ready",
        "connections": f"{values['ActiveConnections']:,}",
        "subscriptions": f"{values['ActiveSubscriptions']:,}",
        "events": f"{metrics['SuccessfulEvents']:,}",
        "sent": f"{metrics['BroadcastEventSuccess']:,} frames",
        "Python": f"{platform.python_version()} ({sys.platform})",
        "libraries": libraries,
    }


def _lasting(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours} h {rest // 60:02} min" if hours else f"{rest // 60} min {rest % 60:02} s"


async def authority(request: Request) -> Response:
    """The authority that has signed this run's development certificate, for clients to trust."""
    pem: bytes | None = getattr(request.app.state, "authority", None)
    if pem is None:
        raise ResourceNotFound("No certificate was made for this run.")
    return Response(pem, media_type="application/x-pem-file", headers={"cache-control": "no-cache"})
