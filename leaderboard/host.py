"""The host's way in: `/host` opens a room, `/r/{code}/present` is its page for a projector, `/r/{code}/remote` that for
a phone.

Who has opened a room holds its token in a cookie that no script can read and no other site can send. It goes to three
narrow paths: to the room's pages, to its controls (`stage`), and to `/host`, which lists the rooms of this browser. On
another device the credential comes in the fragment of a link, which is never sent: static/js/page-claim.js takes it out
of the address bar and exchanges it for the cookie.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import segno
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from leaderboard import rooms
from leaderboard.answers import MAX_BODY, base_url, body_of, operations_of, settings_of
from leaderboard.engines import Reading
from leaderboard.errors import BadRequest, NotAllowed, Refusal, Unauthorized
from leaderboard.events import MAX_PLAYER
from leaderboard.grants import Grant, Role
from leaderboard.play import RoomRoute
from leaderboard.ranking import View
from leaderboard.rendering import PageRoute, html_page
from leaderboard.rooms import BOT, GAME, MOST_BOTS, MOST_PLAYERS, MOST_RATE, NewRoom, Room
from leaderboard.seats import address_for_others
from leaderboard.standing import explain, in_order
from leaderboard.tokens import LIFETIME

ROWS = 10
"""Rows of the projector's board."""
SEEN = View(top=ROWS)
LENGTHS = (15, 30, 45, 60, 90, 120)
"""Seconds of a round that are offered."""
PEOPLE = 100
"""Players that the remote lists."""
OWN = 50
"""Cookies of rooms that are looked at, the youngest: a program may send thousands, each of which would be a look-up."""


class HostRoute(RoomRoute):
    """A route of a page for the host of a room: others may become it."""

    def refused(self, request: Request, refusal: Refusal) -> Response:
        """For who is not the host, the page that takes a host's link."""
        if isinstance(refusal, NotAllowed):
            code = request.path_params["code"].upper()
            return html_page(request, "claim.html", 403, code=code, here="host")
        return super().refused(request, refusal)


class ControlRoute(PageRoute):
    """A route of a control: its refusals are fragments for htmx, and pages without a script."""

    def refused(self, request: Request, refusal: Refusal) -> Response:
        """The refusal worded for the page that asked."""
        if "hx-request" not in request.headers:
            return super().refused(request, refusal)
        answer = html_page(request, "_refusal.html", refusal.status, message=refusal.message)
        answer.headers["hx-retarget"] = "#refusal"
        answer.headers["hx-reswap"] = "innerHTML"
        return answer


def router() -> APIRouter:
    """The routes. They expect what those of `pages` do, and ``bots``."""
    routes = APIRouter(include_in_schema=False)
    reads, writes = ["GET", "HEAD"], ["POST"]
    for path, page, methods, kind in (
        ("/host", host, reads, PageRoute),
        ("/host", open_room, writes, PageRoute),
        ("/r/{code}/present", present, reads, HostRoute),
        ("/r/{code}/remote", remote, reads, HostRoute),
        ("/ui/room/{code}/host", claim, writes, ControlRoute),
        ("/ui/room/{code}/handover", handover, ["GET"], ControlRoute),
    ):
        routes.add_api_route(path, page, methods=methods, route_class_override=kind)
    return routes


# -- the pages ---------------------------------------------------------------------------------------------------------


async def host(request: Request) -> HTMLResponse:
    """Open a room, or go on in one that this browser has opened."""
    return html_page(request, "host.html", **await _host(request), refusal="", asked=_ASKED)


_ASKED = {
    "title": "",
    "seconds": "30",
    "bots": "0",
    "max_players": str(NewRoom().max_players),
    "generated_names": "",
}


async def _host(request: Request) -> dict[str, Any]:
    own = []
    for name in [name for name in request.cookies if name.startswith("host_")][-OWN:]:
        try:
            own.append(await own_room(request, name.removeprefix("host_")))
        except Refusal:
            continue
    return {
        "here": "host",
        "own": own,
        "lengths": LENGTHS,
        "most_bots": MOST_BOTS,
        "most_players": MOST_PLAYERS,
        "key_needed": settings_of(request).rooms == "host",
    }


async def open_room(request: Request) -> Response:
    """A new room, as the form wants it, and its presenter page."""
    form = await form_of(request)
    try:
        settings = settings_of(request)
        if settings.rooms == "host":
            grant = operations_of(request).auth.authenticate(
                {"x-api-key": form.get("key", "")}, request.headers.get("origin")
            )
            if grant.role < Role.HOST or not grant.covers(f"/{GAME}/*"):
                raise Unauthorized
        wanted = NewRoom(
            title=form.get("title", "").strip(),
            round_ms=1000 * int(form.get("seconds", "30")),
            generated_names=bool(form.get("generated_names")),
            max_players=int(form.get("max_players") or _ASKED["max_players"]),
            bots=int(form.get("bots", "0") or 0),
        )
        wanted = msgspec.convert(msgspec.structs.asdict(wanted), NewRoom)
        rooms.slow_down(request)
        code, token = await rooms.new_room(operations_of(request), settings, wanted)
    except (ValueError, Refusal) as error:
        told = error if isinstance(error, Refusal) else BadRequest(f"This is no room: {error}.")
        text = told.message
        if isinstance(told, Unauthorized):
            text = "Only a host may open a room here: this needs the key of one."
        known = {**await _host(request), "refusal": text, "asked": {**_ASKED, **form}}
        return html_page(request, "host.html", told.status, **known)
    request.app.state.bots.look_after(rooms.channel_of(code))
    answer = RedirectResponse(f"/r/{code}/present", 303)
    _remember(request, answer, code, token)
    return answer


async def present(request: Request, code: str) -> HTMLResponse:
    """The room for a projector: ranking, code, clock, and the host's controls."""
    room = await own_room(request, code)
    reading = await operations_of(request).broker.read(room.channel, SEEN)
    window = reading.windows[SEEN]
    address = address_for_others(request)
    return html_page(
        request,
        "present.html",
        scripted=True,
        room=room,
        token=_credential(request, room),
        **staging(room, reading),
        standings=explain(in_order(window.rows, None), window.total, "desc"),
        total=window.total,
        address=address.partition("://")[2] if address else "",
        qr=qr(f"{address}/j/{room.code}") if address else "",
    )


async def remote(request: Request, code: str, prefix: str = "") -> HTMLResponse:
    """The same controls on a phone, and who is in the room."""
    room = await own_room(request, code)
    reading = await operations_of(request).broker.read(room.channel, SEEN)
    return html_page(
        request,
        "remote.html",
        scripted=True,
        room=room,
        token=_credential(request, room),
        **staging(room, reading),
        **await gathered(request, room, prefix),
    )


async def gathered(request: Request, room: Room, prefix: str) -> dict[str, Any]:
    """Who is in the room and called like that, hidden and removed players too; bots come last."""
    prefix = prefix[:MAX_PLAYER]
    broker = operations_of(request).broker
    people = await broker.people(room.channel, prefix, MOST_PLAYERS + MOST_BOTS)
    people = [each for each in people if not (each.hidden and each.player.startswith(BOT))]
    people.sort(key=lambda each: each.player.startswith(BOT))
    return {"people": people[:PEOPLE], "prefix": prefix}


def _credential(request: Request, room: Room) -> str:
    """What the page looks at the board with: a token that is worth a look and no more, and ends with the host's."""
    auth, host = operations_of(request).auth, grant_of(request, room)
    return auth.issue("viewer", room.channel, None, LIFETIME, maker=host)[0]


def staging(room: Room, reading: Reading) -> dict[str, Any]:
    """What the controls depend on."""
    rows = reading.windows[SEEN].rows or ()
    over = reading.round.state == "closed" and (
        room.game.played == reading.round.number or any(row.score for row in rows)
    )
    return {
        "code": room.code,
        "game": room.game,
        "state": reading.round.state,
        "number": reading.round.number,
        "over": over,
        "frozen": reading.frozen,
        "veiled": reading.veiled,
        "most_bots": MOST_BOTS,
        "most_rate": MOST_RATE,
    }


# -- the host's credential ---------------------------------------------------------------------------------------------


async def claim(request: Request, code: str) -> Response:
    """Exchange the token of a link for the cookie of this browser."""
    form = await form_of(request)
    room = await rooms.room_of(request, code)
    token = form.get("token", "")
    _check(request, room, token)
    answer = Response(status_code=204)
    _remember(request, answer, room.code, token)
    return answer


async def handover(request: Request, code: str) -> HTMLResponse:
    """The link that makes another device a remote, to be scanned."""
    room = await own_room(request, code)
    token, address = token_of(request, room), address_for_others(request)
    link = f"{address}/r/{room.code}/remote#{token}" if address else ""
    return html_page(request, "_handover.html", qr=qr(link) if link else "")


async def own_room(request: Request, code: str) -> Room:
    """The room, if it is this browser's to control; raises `NoRoom` or `NotAllowed`."""
    room = await rooms.room_of(request, code)
    grant_of(request, room)
    return room


def token_of(request: Request, room: Room) -> str:
    """The host token that the request has for a room; raises `NotAllowed`."""
    token = request.cookies.get(f"host_{room.code}", "")
    _check(request, room, token)
    return token


def grant_of(request: Request, room: Room) -> Grant:
    """By what right the request controls a room; raises `NotAllowed`."""
    return _check(request, room, request.cookies.get(f"host_{room.code}", ""))


def _check(request: Request, room: Room, token: str) -> Grant:
    try:
        grant = operations_of(request).auth.authenticate({"authorization": token})
    except Unauthorized:
        grant = None
    if grant is None or grant.role < Role.HOST or not grant.covers(room.channel):
        raise NotAllowed(f"Only the host of room {room.code} may do this.")
    return grant


def _remember(request: Request, answer: Response, code: str, token: str) -> None:
    secure = base_url(request).startswith("https:")
    for path in ("/host", f"/r/{code}", f"/ui/room/{code}"):
        answer.set_cookie(
            f"host_{code}",
            token,
            max_age=LIFETIME,
            path=path,
            secure=secure,
            httponly=True,
            samesite="strict",
        )


async def form_of(request: Request) -> dict[str, str]:
    """The members of a form that this server's own pages sent; raises `NotAllowed` for those of others.

    The cookie goes to no request of another site, by its SameSite; this holds for browsers that do not know that, and
    for another service on the same host.
    """
    site = request.headers.get("origin", "").partition("://")[2]
    own = {request.headers.get("host", ""), urlsplit(settings_of(request).public_url).netloc}
    if site not in own - {""}:
        raise NotAllowed("This form was not sent from a page of this server.")
    try:
        text = (await body_of(request, MAX_BODY)).decode()
        found = parse_qs(text, keep_blank_values=True, max_num_fields=32)
    except ValueError:
        raise BadRequest("The body is no form.") from None
    return {name: values[-1] for name, values in found.items()}


# -- how others get here -----------------------------------------------------------------------------------------------


def qr(text: str) -> Markup:
    """A QR code as an SVG, black on white in either scheme: readers expect that."""
    code = segno.make(text, error="m", micro=False)
    svg = code.svg_inline(border=3, dark="#000", light="#fff", omitsize=True, svgclass=None)
    return Markup(svg)  # noqa: S704, segno writes paths, and no text of ours
