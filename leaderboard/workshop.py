"""The learner's pages: `/console` shows every frame of a connection, `/check` tests the way to this server,
`/lab` is a guide beside a console, `/docs/guide` the whole documentation.

The first three do their work in the browser; what they need to begin with is rendered into them.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from leaderboard import __version__, addresses, guide, manual
from leaderboard.answers import NOSNIFF, base_url, settings_of
from leaderboard.assets import LAB
from leaderboard.errors import ResourceNotFound
from leaderboard.rendering import PageRoute, example_channel, html_page
from leaderboard.settings import LOCAL, PUBLIC_KEY

PICTURE_SECONDS: Final = 3600
"""For so long a browser need not ask again for a picture."""


def router() -> APIRouter:
    """The routes. They expect what those of `pages` do."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    routes.add_api_route("/console", console, methods=["GET", "HEAD"])
    routes.add_api_route("/check", check, methods=["GET", "HEAD"])
    routes.add_api_route("/lab", lab, methods=["GET", "HEAD"])
    routes.add_api_route("/lab/{step}", lab, methods=["GET", "HEAD"])
    routes.add_api_route(manual.ROOT, documentation, methods=["GET", "HEAD"])
    routes.add_api_route(f"{manual.ROOT}/{{address:path}}", documentation, methods=["GET", "HEAD"])
    return routes


async def console(request: Request) -> HTMLResponse:
    """Connect, subscribe, publish, and see what passes over the wire."""
    return html_page(request, "console.html", here="console", **_console(request))


def _console(request: Request) -> dict[str, Any]:
    settings = settings_of(request)
    return {
        "viewer_key": settings.viewer_key,
        "channel": example_channel(settings),
        "relays": [name for name, each in settings.namespaces.items() if each.kind == "relay"],
    }


async def check(request: Request) -> HTMLResponse:
    """Whether this device can take part: the page, the socket, how long it stays, and the address for others."""
    settings = settings_of(request)
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


async def lab(request: Request, step: str = "1") -> HTMLResponse:
    """The guide of docs/lab.md, one step at a time, beside a console that sees when a step is done."""
    known = _console(request)
    text = LAB.read_text("utf-8")
    # It is written for a server without configuration; here it speaks of this one.
    for name, here in (
        (LOCAL, base_url(request)),
        ("/leaderboard/demo", known["channel"]),
        (PUBLIC_KEY, known["viewer_key"] or PUBLIC_KEY),
    ):
        text = text.replace(name, here)
    introduction, *steps, end = guide.read(text)
    if step not in [str(number) for number in range(1, len(steps) + 1)]:
        raise ResourceNotFound(f"The lab has steps 1 to {len(steps)}.")
    return html_page(
        request,
        "lab.html",
        introduction=introduction,
        steps=steps,
        end=end,
        current=int(step),
        **known,
    )


async def documentation(request: Request, address: str = "") -> Response:
    """A document of docs/, or a picture in one."""
    address = address.rstrip("/")
    picture = manual.picture(address)
    if picture is not None:
        kept = {"cache-control": f"public, max-age={PICTURE_SECONDS}", **NOSNIFF}
        return Response(picture.data, 200, kept, picture.kind)
    page = manual.page(address)
    if page is None:
        raise ResourceNotFound("The guide has no such page.")
    return html_page(
        request,
        "manual.html",
        here="docs",
        title=page.title,
        body=Markup(page.body),  # noqa: S704, our own documents
        root=manual.ROOT,
        contents=manual.contents(),
        current=f"{manual.ROOT}/{address}".rstrip("/"),
    )
