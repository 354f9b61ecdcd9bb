"""The pages: `/`, `/l`, `/l/{channel}`, `/docs`, and what they embed under `/ui`.

Every page is whole before a script runs: rows are rendered here, and static/js takes over the same elements.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from msgspec import Struct

from leaderboard import channels, templating
from leaderboard.answers import (
    base_url,
    is_public,
    one_of,
    operations_of,
    reader,
    row_count,
    settings_of,
)
from leaderboard.broker import Broker
from leaderboard.engines import Reading, Running
from leaderboard.errors import BadRequest, ResourceNotFound
from leaderboard.events import MAX_PLAYER
from leaderboard.ranking import Row, View
from leaderboard.rendering import THEMES, PageRoute, example_channel, html_page
from leaderboard.settings import LOCAL, MAX_TOP
from leaderboard.standing import Standing, explain, in_order, phrases

BOARDS_PER_PAGE: Final = 24


class Tile(Struct, frozen=True):
    """A running board in the list of boards."""

    channel: str
    total: int
    watching: int
    leader: Row | None


def router() -> APIRouter:
    """The routes. They expect ``operations`` and ``settings`` on the application's state."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    pages: dict[str, Callable[..., Any]] = {
        "/": home,
        "/l": boards,
        "/l/": lambda: RedirectResponse("/l"),
        "/l/{channel:path}": board,
        "/ui/boards": boards_fragment,
        "/docs": docs,
    }
    for path, handler in pages.items():
        routes.add_api_route(path, handler, methods=["GET", "HEAD"])
    return routes


# -- the pages ---------------------------------------------------------------------------------------------------------


async def home(request: Request) -> HTMLResponse:
    """What this is, and what can be done with it."""
    base = base_url(request)
    settings = settings_of(request)
    return html_page(
        request,
        "home.html",
        base=base,
        socket=base.replace("http", "ws", 1),
        viewer_key=settings.viewer_key,
        open_to_all=settings.rooms == "anyone",
        sample=explain(_SAMPLE, len(_SAMPLE), "desc"),
        **_to_try(request),
    )


_SAMPLE: Final = [
    Row(rank=place, position=place, player=name.lower(), name=name, score=score)
    for place, (name, score) in enumerate(
        [
            ("Hedy Lamarr", 1313),
            ("Edsger Dijkstra", 1277),
            ("Grace Hopper", 1264),
            ("Ken Thompson", 1240),
            ("Radia Perlman", 1208),
            ("Alan Turing", 1195),
            ("Ada Lovelace", 1182),
        ],
        start=1,
    )
]
"""Whom static/js/page-home.js lets play on the home page."""


async def boards(request: Request, after: str = "") -> HTMLResponse:
    """The running boards, kept up by `boards_fragment`."""
    return html_page(request, "boards.html", scripted=True, **await _boards(request, after))


async def boards_fragment(request: Request, after: str = "") -> HTMLResponse:
    """The list alone, for htmx."""
    return html_page(request, "_boards.html", **await _boards(request, after))


async def board(request: Request, channel: str) -> HTMLResponse:
    """One board. Query: ``top`` (rows), ``theme``, ``around`` (a player whose place is told, and who is near), ``me``
    (1: that is the one who looks)."""
    path = channels.parse(channel)
    settings, query = settings_of(request), request.query_params
    rules = settings.namespaces.get(channels.namespace(path))
    if rules is None:
        raise ResourceNotFound(
            f"There is no namespace {channels.namespace(path)!r} on this server."
        )
    top = row_count("top", query.get("top", ""), MAX_TOP, rules.top)
    around, me = _around(request), _me(request)
    known: dict[str, Any] = {
        "channel": path,
        "title": templating.title_of(path),
        "base": base_url(request),
        "theme": one_of("theme", query.get("theme", ""), THEMES),
        "here": "",
    }
    if rules.kind == "relay":
        names = [name for name, each in settings.namespaces.items() if each.kind == "board"]
        return html_page(
            request, "board.html", relay=True, viewable=False, board_namespaces=names, **known
        )
    broker = operations_of(request).broker
    view = View(top=top, around=around or None)
    known |= {
        "relay": False,
        "viewer_key": settings.viewer_key,
        "order": rules.order,
        "top": top,
        "around": around,
        "me": me,
        "kept": [(name, value) for name in ("top", "theme") if (value := query.get(name))],
        **_to_try(request, path),
    }
    if not await is_public(request, path):
        # What may be seen by a link is: the browser has it, and keeps it to itself.
        nothing = {"total": 0}
        return html_page(
            request,
            "board.html",
            403,
            viewable=False,
            window=nothing,
            standings=[],
            watching=0,
            told=("", ""),
            place="",
            **known,
        )
    reading = await broker.read(path, view)
    window = reading.windows[view]
    standings = explain(in_order(window.rows, window.around), window.total, rules.order)
    return html_page(
        request,
        "board.html",
        viewable=True,
        place=_place(standings, around, me, reading.veiled > 0) if around else "",
        reading=reading,
        window=window,
        standings=standings,
        watching=broker.watching(path),
        told=_round(reading, window.total),
        **known,
    )


async def docs(request: Request) -> HTMLResponse:
    """The HTTP interface, from the application's own OpenAPI description."""
    return html_page(request, "docs.html", api=request.app.openapi(), base=base_url(request))


async def _boards(request: Request, after: str) -> dict[str, Any]:
    operations = operations_of(request)
    broker = operations.broker
    known = {"here": "boards", "after": after, **_to_try(request)}
    try:
        # A link of the browser's comes as a header: no page has it in its address.
        viewer = await reader(request)
    except ResourceNotFound:
        return {**known, "public": False, "tiles": [], "following": ""}
    # A key may have several patterns; a link has one, which is then all that is looked through.
    below = viewer.channels[0] if len(viewer.channels) == 1 else channels.EVERYTHING
    if not channels.is_wildcard(below):
        below = channels.EVERYTHING
    found = await broker.boards(below, after, BOARDS_PER_PAGE + 1)
    seen = [
        each for each in found[:BOARDS_PER_PAGE] if operations.targets.lists(viewer, each.channel)
    ]
    return {
        **known,
        "public": True,
        "tiles": await asyncio.gather(*(_tile(broker, each) for each in seen)),
        "following": found[-2].channel if len(found) > BOARDS_PER_PAGE else "",
    }


async def _tile(broker: Broker, board: Running) -> Tile:
    view = View(top=1)
    reading = await broker.read(board.channel, view)
    leader = next(iter(reading.windows[view].rows or ()), None)
    return Tile(board.channel, board.total, broker.watching(board.channel), leader)


def _round(reading: Reading, total: int) -> tuple[str, str]:
    """What is said of the round, as a label and a value, empty where there is nothing to say: static/js/page-board.js
    words it alike."""
    round, told = reading.round, ""
    if reading.veiled:
        told = f"{templating.number(reading.veiled)} still to be revealed"
    elif reading.frozen:
        told = "Standings frozen"
    which = "Starts in" if round.state == "soon" else f"Round {templating.number(round.number)}"
    if round.due != math.inf:
        left = max(0, math.ceil(round.due - reading.now))
        return f"{told} · {which}" if told else which, f"{left // 60}:{left % 60:02}"
    if told:
        return which, told
    # A closed board without scores has not begun.
    return (which, "Round over") if round.state == "closed" and total else ("", "")


def _place(standings: list[Standing], player: str, me: bool, veiled: bool) -> str:
    """What is said of the player that a visitor follows: static/js/strings.js words it alike."""
    found = next((each for each in standings if each.row.player == player), None)
    # A name may run the other way; isolated, it leaves the sentence around it in order.
    name = (found and found.row.name) or player
    subject = "You are" if me else f"\u2068{name}\u2069 is"
    return " · ".join(phrases(found, subject, veiled=veiled))


# -- the query ---------------------------------------------------------------------------------------------------------


def _around(request: Request) -> str:
    player = request.query_params.get("around", "")
    if len(player) > MAX_PLAYER:
        raise BadRequest(f"around is the id of a player: {MAX_PLAYER} characters at most.")
    return player


def _me(request: Request) -> bool:
    text = request.query_params.get("me", "")
    if text not in ("", "1"):
        raise BadRequest("me is 1, where the player of around is the one who looks.")
    return text == "1"


def _to_try(request: Request, channel: str = "") -> dict[str, Any]:
    """Commands that work here as they stand, given LEADERBOARD_KEY; on a channel of the first board namespace."""
    channel = channel or example_channel(settings_of(request))
    base = base_url(request)
    to = "" if base == LOCAL else f" --url {base}"
    event = r"{\"player\":\"ann\",\"score\":120}"
    return {
        "example": channel,
        "simulate": f"leaderboard simulate {channel}{to}",
        "watch": f"leaderboard watch {channel}{to}",
        "curl": (
            f"curl {base}/event \\\n"
            '  -H "x-api-key: $LEADERBOARD_KEY" \\\n'
            f"""  -d '{{"channel": "{channel}",\n"""
            f"""       "events": ["{event}"]}}'"""
        ),
    }
