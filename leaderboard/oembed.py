"""`/oembed`: what a page of another site may show for the address of a board (oEmbed 1.0, https://oembed.com).

Sites that turn addresses into previews ask here; the board's own page names this address in its head.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import msgspec
from fastapi import APIRouter, Query, Request, Response

from leaderboard import channels, templating
from leaderboard.answers import (
    ApiRoute,
    base_url,
    is_public,
    json_answer,
    refused,
    row_count,
    settings_of,
)
from leaderboard.embeds import ANYWHERE, FRESH, board_rules
from leaderboard.errors import BadRequest, ResourceNotFound, Unauthorized
from leaderboard.ranking import View
from leaderboard.settings import MAX_TOP
from leaderboard.snippets import DEFAULT_LIMIT, ROW, WIDTH, Embedding


def router() -> APIRouter:
    """The route."""
    routes = APIRouter(route_class=ApiRoute, include_in_schema=False)
    routes.add_api_route("/oembed", oembed, methods=["GET", "HEAD"])
    return routes


async def oembed(
    request: Request,
    url: str,
    form: Annotated[str, Query(alias="format")] = "json",
    maxwidth: int = 0,
    maxheight: int = 0,
) -> Response:
    """The board at ``url`` as a frame no larger than ``maxwidth`` and ``maxheight``, where they are given.

    404 for any other address, and where there is no board (yet, or any more); 401 for a board that is not public, 501
    for XML, as the specification has it.
    """
    if form != "json":
        return refused(BadRequest("Only the format json is spoken here."), 501)
    shown = _addressed(request, url)
    if not await is_public(request, shown.channel):
        raise Unauthorized("This board is not public.")
    if not (await request.app.state.broker.read(shown.channel, View(top=1))).epoch:
        raise ResourceNotFound("There is no board at that address yet, or not any more.")
    width = min(WIDTH, maxwidth) if maxwidth > 0 else WIDTH
    if 0 < maxheight < shown.height:
        shown = msgspec.structs.replace(shown, limit=max(1, maxheight // ROW - 1))
    content = {
        "version": "1.0",
        "type": "rich",
        "provider_name": "leaderboard",
        "provider_url": shown.base,
        "title": shown.name,
        "html": shown.frame(width),
        "width": width,
        "height": shown.height,
        "cache_age": FRESH,
    }
    return json_answer(content, headers={**ANYWHERE, "cache-control": f"public, max-age={FRESH}"})


def _addressed(request: Request, url: str) -> Embedding:
    """The board whose page has this address; `ResourceNotFound` for any other address."""
    base = base_url(request)
    here = {urlsplit(base).netloc, request.headers.get("host", "")}
    nowhere = ResourceNotFound("There is no board of this server at that address.")
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.netloc not in here:
            raise nowhere
        if not parts.path.startswith("/l/"):
            raise nowhere
        path = channels.parse(parts.path.removeprefix("/l/"))
        top = parse_qs(parts.query).get("top", [""])[0]
        limit = row_count("top", top, MAX_TOP, DEFAULT_LIMIT)
    except (ValueError, BadRequest):
        raise nowhere from None
    board_rules(request, path)
    return Embedding(
        base=base,
        channel=path,
        key=settings_of(request).viewer_key,
        name=templating.title_of(path),
        limit=limit,
    )
