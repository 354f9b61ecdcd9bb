"""The links of a room, as its host hands them out: `/r/{code}/links`, and the fragments that htmx puts there.
`/credential` is the page that a game server's link opens.

A link is made, listed and revoked by the right of the host's cookie, as over `/api/links` by that of a key (`sharing`).
Its address and QR code are shown once, in the answer that made it.
"""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from leaderboard.answers import base_url, operations_of
from leaderboard.errors import BadRequest
from leaderboard.events import MAX_PLAYER
from leaderboard.host import ControlRoute, HostRoute, form_of, grant_of, own_room
from leaderboard.nicknames import key
from leaderboard.rendering import PageRoute, html_page
from leaderboard.rooms import MOST_PLAYERS, Room
from leaderboard.seats import address_for_others
from leaderboard.sharing import Fresh, Issued, NewLink, end_link, new_link
from leaderboard.tokens import MAX_RATE

HOURS: Final = (1, 2, 8, 24)
"""How long a link may be good, of which the second is chosen."""
ROLES: Final = {
    "viewer": ("Viewer", "watches the board"),
    "player": ("Player", "plays under one name"),
    "scorekeeper": ("Scorekeeper", "sends scores for anybody"),
    "presenter": ("Presenter", "leads the room as you do"),
    "game-server": ("Game server", "a program that sends scores"),
}


def router() -> APIRouter:
    """The routes. They expect what those of `host` do, and ``links``."""
    routes = APIRouter(include_in_schema=False)
    for path, page, methods, kind in (
        ("/r/{code}/links", links_page, ["GET", "HEAD"], HostRoute),
        ("/credential", credential, ["GET", "HEAD"], PageRoute),
        ("/ui/room/{code}/links", links, ["GET"], ControlRoute),
        ("/ui/room/{code}/links", make, ["POST"], ControlRoute),
        ("/ui/room/{code}/links/{link_id}/revoke", revoke, ["POST"], ControlRoute),
    ):
        routes.add_api_route(path, page, methods=methods, route_class_override=kind)
    return routes


async def links_page(request: Request, code: str) -> HTMLResponse:
    """The form for a new link, and those that are good."""
    return await _answer(request, "links.html", await own_room(request, code))


async def credential(request: Request) -> HTMLResponse:
    """What a game server's link carries, and how to use it: the browser knows, this server does not."""
    return html_page(request, "credential.html", base=base_url(request))


async def links(request: Request, code: str) -> HTMLResponse:
    """Those that are good, for htmx."""
    return await _answer(request, "_links.html", await own_room(request, code))


async def make(request: Request, code: str) -> HTMLResponse:
    """A link as the form wants it: its address is told in this answer and never again."""
    form = await form_of(request)
    room = await own_room(request, code)
    fresh = await new_link(
        request,
        grant_of(request, room),
        await _wanted(request, room, form),
        address_for_others(request) or base_url(request),
    )
    page = "_links.html" if "hx-request" in request.headers else "links.html"
    return await _answer(request, page, room, fresh)


async def revoke(request: Request, code: str, link_id: str) -> Response:
    """End a link, and whatever it has opened, now."""
    await form_of(request)
    room = await own_room(request, code)
    await end_link(request, grant_of(request, room), link_id)
    if "hx-request" in request.headers:
        return await _answer(request, "_links.html", room)
    return RedirectResponse(f"/r/{room.code}/links", 303)


async def _wanted(request: Request, room: Room, form: dict[str, str]) -> NewLink:
    """The link that a form describes; raises `BadRequest`."""
    role, player, rate = form.get("role", ""), form.get("player", "").strip(), form.get("rate", "")
    if role == "player" and not player:
        raise BadRequest("A player’s link needs a name.")
    asked: dict[str, Any] = {
        "role": role,
        "channel": room.channel,
        "label": form.get("label", "").strip(),
    }
    if role == "player":
        asked["player"] = await _player(request, room, player)
    try:
        asked["seconds"] = 3600 * int(form.get("hours", str(HOURS[1])))
        if rate:
            asked["rate"] = int(rate)
        return msgspec.convert(asked, NewLink)
    except ValueError as error:
        raise BadRequest(f"There can be no such link: {error}.") from None


async def _player(request: Request, room: Room, name: str) -> str:
    """The id of the player in the room who is called so; a new player has the name as its id."""
    people = await operations_of(request).broker.people(room.channel, "", MOST_PLAYERS)
    wanted = key(name)
    return next((each.player for each in people if each.name and key(each.name) == wanted), name)


async def _answer(
    request: Request, template: str, room: Room, fresh: Fresh | None = None
) -> HTMLResponse:
    issued: Issued = request.app.state.links
    answer = html_page(
        request,
        template,
        scripted=True,
        here="host",
        room=room,
        code=room.code,
        links=await issued.of(grant_of(request, room)),
        roles=ROLES,
        hours=HOURS,
        most_rate=MAX_RATE,
        most_name=MAX_PLAYER,
        fresh=fresh,
        # segno writes paths, and no text of ours
        qr=Markup(fresh.qr) if fresh is not None and address_for_others(request) else "",  # noqa: S704
        now=time.time(),
    )
    answer.headers["cache-control"] = "no-store"
    return answer
