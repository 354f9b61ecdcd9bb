"""`/l/{channel}.svg`: the first rows of a board as a picture, for places that take nothing else.

It is drawn anew at each request. What players are called stands in it as text, cut to what fits and without the
characters that XML does not have.
"""

from __future__ import annotations

import re
from typing import Final

from fastapi import APIRouter, Request, Response

from leaderboard import channels, templating
from leaderboard.answers import is_public, one_of, operations_of, row_count
from leaderboard.embeds import ANYWHERE, board_rules
from leaderboard.errors import ResourceNotFound
from leaderboard.names import graphemes
from leaderboard.ranking import Row, View
from leaderboard.rendering import PageRoute

ROWS: Final = 5
MAX_ROWS: Final = 20
MAX_LETTERS: Final = 24
"""Graphemes of a name that fit between rank and score."""
FRESH: Final = 10
"""Seconds for which a copy may be shown: image proxies keep one as long as they are told to."""
COLOURS: Final = {
    "light": {"card": "#fff", "ink": "#191c25", "muted": "#5a6070", "line": "#e1e4eb"},
    "dark": {"card": "#1a1c24", "ink": "#eef0f4", "muted": "#a5aabb", "line": "#333846"},
}

# XML 1.0, 2.2: the only characters that a document may hold; the rest of those that a name may have.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def router() -> APIRouter:
    """The route. It stands before those of the pages, for a picture is not a board."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    routes.add_api_route("/l/{channel:path}.svg", picture, methods=["GET", "HEAD"])
    return routes


async def picture(request: Request, channel: str) -> Response:
    """The board as an SVG. Query: ``top`` (rows), ``theme`` (light or dark)."""
    path = channels.parse(channel)
    board_rules(request, path)
    if not await is_public(request, path):
        raise ResourceNotFound(f"There is no board {path} here.")
    query = request.query_params
    top = row_count("top", query.get("top", ""), MAX_ROWS, ROWS)
    theme = one_of("theme", query.get("theme", ""), tuple(COLOURS))
    view = View(top=top)
    window = (await operations_of(request).broker.read(path, view)).windows[view]
    rows = window.rows or []
    svg = templating.render(
        "picture.svg",
        {
            "title": templating.title_of(path),
            "rows": [(row, fitting(row)) for row in rows],
            "total": window.total,
            "colours": COLOURS[theme],
        },
    )
    headers = {
        **ANYWHERE,
        "cache-control": f"public, max-age={FRESH}",
        "content-security-policy": "default-src 'none'",
    }
    return Response(svg, 200, headers, "image/svg+xml")


def fitting(row: Row) -> str:
    """What a player is called, as much of it as there is room for.

    >>> fitting(Row(rank=1, position=1, player="ann", name="W" * 64, score=1))
    'WWWWWWWWWWWWWWWWWWWWWWW…'
    """
    letters = graphemes(_NO_XML.sub("\ufffd", templating.shown(row)))
    if len(letters) > MAX_LETTERS:
        letters = [*letters[: MAX_LETTERS - 1], "…"]
    return "".join(letters)
