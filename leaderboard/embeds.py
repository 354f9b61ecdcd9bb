"""Boards in pages of other sites: the script `/widget.js`, `/embed/{channel}` for frames, `/overlay/{channel}` for OBS.

All of them show what the key that they carry may see; without one, what everybody may. A board that is not there yet
embeds like any other: it shows as empty, and fills.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from leaderboard import channels, templating
from leaderboard.answers import (
    NOSNIFF,
    base_url,
    is_public,
    one_of,
    operations_of,
    row_count,
    settings_of,
)
from leaderboard.assets import STATIC
from leaderboard.errors import BadRequest, ResourceNotFound
from leaderboard.events import MAX_PLAYER
from leaderboard.files import takes_gzip
from leaderboard.packing import pack
from leaderboard.ranking import View
from leaderboard.rendering import THEMES, PageRoute, html_page
from leaderboard.settings import MAX_TOP, Namespace
from leaderboard.snippets import DEFAULT_LIMIT, DEFAULT_SCALE, Embedding
from leaderboard.standing import explain, in_order

ALIGNMENTS: Final = ("left", "center", "right")
MAX_TITLE: Final = 100
MAX_SCALE: Final = 8.0
FRESH: Final = 600
"""Seconds for which a site's visitors need not ask again for the script; its address never changes."""
ANYWHERE: Final = {
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    **NOSNIFF,
}
"""For what pages of other sites may load. Said to everybody, whether asked or not: caches keep one answer for all."""

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")


def router() -> APIRouter:
    """The routes. They expect ``operations`` and ``settings`` on the application's state."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    answers: dict[str, Callable[..., Any]] = {
        "/widget.js": widget,
        "/embed/{channel:path}": frame,
        "/overlay/{channel:path}": overlay,
    }
    for path, answer in answers.items():
        routes.add_api_route(path, answer, methods=["GET", "HEAD"])
    return routes


# -- the script --------------------------------------------------------------------------------------------------------


@cache
def script() -> tuple[bytes, bytes]:
    """The element and all that it needs as one module: plain and compressed."""
    plain = pack(STATIC / "js" / "widget.js").encode()
    return plain, gzip.compress(plain, 9, mtime=0)


async def widget(request: Request) -> Response:
    """The custom element ``<live-leaderboard>``."""
    plain, packed = script()
    etag = f'"{zlib.crc32(plain):08x}"'
    headers = {
        **ANYWHERE,
        "cache-control": f"public, max-age={FRESH}",
        "etag": f"W/{etag}",
        "vary": "accept-encoding",
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    compressed = takes_gzip(request.headers)
    if compressed:
        headers["content-encoding"] = "gzip"
    return Response(packed if compressed else plain, 200, headers, "text/javascript")


# -- what is asked for -------------------------------------------------------------------------------------------------


def board_rules(request: Request, path: str) -> Namespace:
    """The rules of a board channel; `ResourceNotFound` where there can be no board."""
    rules = settings_of(request).namespaces.get(channels.namespace(path))
    if rules is None or rules.kind != "board":
        raise ResourceNotFound(f"There can be no board {path} on this server.")
    return rules


def embedding(request: Request, channel: str) -> Embedding:
    """The board and how it shall look, from the query; raises `BadRequest` with what is wrong."""
    path = channels.parse(channel)
    board_rules(request, path)
    query = request.query_params
    return Embedding(
        base=base_url(request),
        channel=path,
        key=settings_of(request).viewer_key,
        name=templating.title_of(path),
        limit=row_count("limit", query.get("limit", ""), MAX_TOP, DEFAULT_LIMIT),
        theme=one_of("theme", query.get("theme", ""), THEMES),
        lang=_language(query.get("lang", "")),
        title=_short("title", query.get("title", ""), MAX_TITLE),
        highlight=_short("highlight", query.get("highlight", ""), MAX_PLAYER),
        transparent=one_of("bg", query.get("bg", ""), ("", "transparent")) != "",
        scale=_scale(query.get("scale", "")),
        align=one_of("align", query.get("align", ""), ALIGNMENTS),
        header=one_of("hide", query.get("hide", ""), ("", "header")) == "",
    )


def _scale(text: str) -> float:
    fits = (
        re.fullmatch(r"[0-9]{1,2}|[0-9]{0,2}\.[0-9]{1,3}", text) and 0.1 <= float(text) <= MAX_SCALE
    )
    if text and not fits:
        raise BadRequest(f"scale is a number from 0.1 to {MAX_SCALE:g}.")
    return float(text or DEFAULT_SCALE)


def _language(text: str) -> str:
    if text and not _LANGUAGE.fullmatch(text):
        raise BadRequest("lang is a language tag, as en or pt-BR.")
    return text


def _short(name: str, text: str, most: int) -> str:
    if len(text) > most:
        raise BadRequest(f"{name} has {most} characters at most.")
    return text.strip()


# -- in a frame --------------------------------------------------------------------------------------------------------


async def frame(request: Request, channel: str) -> HTMLResponse:
    """A board and nothing else, for an iframe. Query: ``limit``, ``theme``, ``lang``, ``title``, ``highlight``, ``bg``.

    The key, if it is not everybody's, comes behind the ``#``, where no server and no other site sees it.
    """
    shown = embedding(request, channel)
    return await _framed(request, shown, theme=shown.theme)


async def overlay(request: Request, channel: str) -> HTMLResponse:
    """A board on nothing, to be laid over a picture by OBS. Query: ``limit``, ``scale``, ``align``, ``hide``, and those
    of a frame that are about words."""
    return await _framed(request, embedding(request, channel), theme="overlay")


async def _framed(request: Request, shown: Embedding, theme: str) -> HTMLResponse:
    rules = board_rules(request, shown.channel)
    view = View(top=shown.limit, around=shown.highlight or None, radius=0)
    known: dict[str, Any] = {"reading": None, "window": None, "standings": []}
    if await is_public(request, shown.channel):
        reading = await operations_of(request).broker.read(shown.channel, view)
        window = reading.windows[view]
        rows = in_order(window.rows, window.around)
        known = {
            "reading": reading,
            "window": window,
            "standings": explain(rows, window.total, rules.order),
        }
    return html_page(
        request,
        "frame.html",
        ancestors=("'self'", *settings_of(request).frame_ancestors),
        shown=shown,
        theme=theme,
        **known,
    )
