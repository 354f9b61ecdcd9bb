"""`/embed`: choose how a board shall look in somebody's page, see it, and copy what puts it there.

The form works without a script, as a form does. With one, htmx asks for the result again while it is filled in, and
puts it in place: the board that is shown stays and only follows its attributes.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from leaderboard import channels
from leaderboard.answers import base_url, is_public, one_of, operations_of, settings_of
from leaderboard.embeds import ALIGNMENTS, MAX_SCALE, MAX_TITLE, embedding
from leaderboard.errors import Refusal
from leaderboard.events import MAX_PLAYER
from leaderboard.rendering import THEMES, PageRoute, example_channel, html_page
from leaderboard.settings import MAX_TOP
from leaderboard.snippets import WIDTH

PREVIEWS: Final = ("page", "frame", "overlay")
SUGGESTED: Final = 50
"""Running boards that the form offers."""


def router() -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    routes.add_api_route("/embed", configurator, methods=["GET", "HEAD"])
    routes.add_api_route("/ui/embed", configured, methods=["GET", "HEAD"])
    return routes


async def configurator(request: Request) -> HTMLResponse:
    """The whole page. The query is what a frame and an overlay take, and ``channel`` and ``preview``."""
    return html_page(
        request,
        "embed.html",
        scripted=True,
        frames=True,
        here="embed",
        boards=await _running(request),
        themes=THEMES,
        alignments=ALIGNMENTS,
        limits={"limit": MAX_TOP, "title": MAX_TITLE, "player": MAX_PLAYER, "scale": MAX_SCALE},
        query=request.query_params,
        **await _made(request),
    )


async def configured(request: Request) -> HTMLResponse:
    """The result alone, for htmx."""
    return html_page(request, "_embed.html", **await _made(request))


async def _made(request: Request) -> dict[str, Any]:
    query = request.query_params
    channel = query.get("channel", "").strip() or example_channel(settings_of(request))
    base = base_url(request)
    known = {"channel": channel, "width": WIDTH, "wrong": "", "shown": None, "public": False}
    known |= {"base": base, "socket": base.replace("http", "ws", 1), "previews": PREVIEWS}
    try:
        known["preview"] = one_of("preview", query.get("preview", ""), PREVIEWS)
        shown = embedding(request, channel)
    except Refusal as refusal:
        return {**known, "preview": PREVIEWS[0], "wrong": refusal.message}
    return {**known, "shown": shown, "public": await is_public(request, shown.channel)}


async def _running(request: Request) -> list[str]:
    operations = operations_of(request)
    viewer = operations.auth.viewer()
    if viewer is None:
        return []
    found = await operations.broker.boards(channels.EVERYTHING, "", SUGGESTED)
    return [each.channel for each in found if operations.targets.lists(viewer, each.channel)]
