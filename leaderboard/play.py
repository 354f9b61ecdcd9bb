"""The pages of the browser game: `/play`, `/j` and `/j/{code}` to get in, `/r/{code}` to play, `/r/{code}/results`.

A page of a room that is not there any more says so, with a way to start another. What happens in a room comes over the
socket; who is who stands in the browser's own store, by room.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from leaderboard import rooms
from leaderboard.answers import is_public, operations_of, settings_of
from leaderboard.errors import Refusal, ResourceNotFound
from leaderboard.names import graphemes
from leaderboard.ranking import View
from leaderboard.rendering import PageRoute, html_page
from leaderboard.rooms import NoRoom
from leaderboard.seats import address_for_others
from leaderboard.settings import MAX_TOP
from leaderboard.standing import explain, in_order

LONGEST_CODE = 12
"""Letters of a code that are kept of what somebody types."""


class RoomRoute(PageRoute):
    """A route of a page of a room, ``code`` in its path: one that is not there has a page, too."""

    def refused(self, request: Request, refusal: Refusal) -> Response:
        """For no room, the form for a code, in which this one stands."""
        if isinstance(refusal, NoRoom):
            code = request.path_params["code"]
            return _code_page(request, "".join(graphemes(code)[:LONGEST_CODE]).upper())
        return super().refused(request, refusal)


def router() -> APIRouter:
    """The routes. They expect what those of `pages` do."""
    routes = APIRouter(include_in_schema=False)
    for path, page, kind in (
        ("/play", start, PageRoute),
        ("/j", code_form, PageRoute),
        ("/j/{code}", name_form, RoomRoute),
        ("/r/{code}", room, RoomRoute),
        ("/r/{code}/results", results, RoomRoute),
    ):
        routes.add_api_route(path, page, methods=["GET", "HEAD"], route_class_override=kind)
    return routes


async def start(request: Request) -> HTMLResponse:
    """Play at once against bots, open a room for friends, or enter a code."""
    return html_page(request, "play.html", here="play", open_to_all=_open_to_all(request))


async def code_form(request: Request, code: str = "") -> Response:
    """Where a code is entered; with a code in the query, the room that has it."""
    if not code.strip():
        return _code_page(request)
    letters = "".join(each for each in code.upper() if each.isalnum())[:LONGEST_CODE]
    try:
        found = await rooms.room_of(request, letters)
    except NoRoom:
        return _code_page(request, "".join(graphemes(code.strip())[:LONGEST_CODE]))
    return RedirectResponse(f"/j/{found.code}", 303)


async def name_form(request: Request, code: str) -> HTMLResponse:
    """Who joins: a suggested name, or one's own."""
    found = await rooms.room_of(request, code)
    name = await rooms.free_name(request, found)
    full = await rooms.is_full(request, found)
    return html_page(request, "join.html", here="play", room=found, name=name, full=full)


async def room(request: Request, code: str) -> HTMLResponse:
    """The game: lobby, countdown, round and podium, as the room's board says."""
    found = await rooms.room_of(request, code)
    address = address_for_others(request).partition("://")[2]
    return html_page(request, "room.html", here="play", room=found, address=address)


async def results(request: Request, code: str) -> HTMLResponse:
    """How the present round stands: podium, table, and downloads."""
    found = await rooms.room_of(request, code)
    if not await is_public(request, found.channel):
        raise ResourceNotFound("This server shows its boards only to those who play.")
    view = View(top=MAX_TOP)
    window = (await operations_of(request).broker.read(found.channel, view)).windows[view]
    standings = explain(in_order(window.rows, None), window.total, "desc")
    return html_page(
        request, "results.html", here="play", room=found, standings=standings, top=MAX_TOP
    )


def _code_page(request: Request, missing: str = "") -> HTMLResponse:
    """The form for a code; ``missing`` is one that no room has."""
    known: dict[str, Any] = {
        "code": missing,
        "missing": bool(missing),
        "open_to_all": _open_to_all(request),
    }
    return html_page(request, "join-code.html", 404 if missing else 200, here="play", **known)


def _open_to_all(request: Request) -> bool:
    """Whether anyone may make a room, and so play alone."""
    return settings_of(request).rooms == "anyone"
