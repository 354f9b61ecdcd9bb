"""The learner's pages: `/console` shows every frame of a connection, `/check` tests the way to this server.

Both do their work in the browser; what they need to begin with is rendered into them.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from leaderboard import __version__, addresses
from leaderboard.pages import PageRoute, example_channel, html_page
from leaderboard.settings import Settings


def router() -> APIRouter:
    """The routes. They expect what those of `pages` do."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    routes.add_api_route("/console", console, methods=["GET", "HEAD"])
    routes.add_api_route("/check", check, methods=["GET", "HEAD"])
    return routes


async def console(request: Request) -> HTMLResponse:
    """Connect, subscribe, publish, and see what passes over the wire."""
    settings: Settings = request.app.state.settings
    return html_page(
        request,
        "console.html",
        here="console",
        viewer_key=settings.viewer_key,
        channel=example_channel(settings),
        relays=[name for name, each in settings.namespaces.items() if each.kind == "relay"],
    )


async def check(request: Request) -> HTMLResponse:
    """Whether this device can take part: the page, the socket, how long it stays, and the address for others."""
    settings: Settings = request.app.state.settings
    _, port = request.scope.get("server") or ("", settings.port)
    others = addresses.for_others(settings, port)
    return html_page(
        request,
        "check.html",
        reach=others,
        others=others,
        viewer_key=settings.viewer_key,
        version=__version__,
    )
