"""The ways into a room by a QR code: a new seat for whoever scans that of the room, and one's own on another device.

The code of a room is everybody's: it says no more than the four letters do. That of a seat is drawn for whoever sits in
it. The link in it has a player's token behind its `#`, which no browser sends to any server: it stands in no log and
in no referrer. For the same reason nobody asks for the code by an address: the token comes as the `Authorization` of
a POST.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress

import segno
from fastapi import APIRouter, Request, Response

from leaderboard import addresses, rooms
from leaderboard.answers import NOSNIFF, ApiRoute, base_url, operations_of, settings_of
from leaderboard.errors import ResourceNotFound, Unauthorized
from leaderboard.grants import Role
from leaderboard.tokens import LIFETIME


def router() -> APIRouter:
    """The routes. They expect what those of `pages` do."""
    routes = APIRouter(route_class=ApiRoute, include_in_schema=False)
    routes.add_api_route("/qr/{code}.svg", room_code, methods=["GET", "HEAD"])
    routes.add_api_route("/ui/seat/{code}", seat_code, methods=["POST"])
    return routes


async def room_code(request: Request, code: str) -> Response:
    """The QR code by which others join a room, as SVG; 404 where no other device could open what it says."""
    room = await rooms.room_of(request, code)
    rooms.slow_down(request)
    joined = segno.make(f"{_address(request)}/j/{room.code}", error="m", micro=False)
    return _drawn(joined, "no-cache")


async def seat_code(request: Request, code: str) -> Response:
    """The QR code of the caller's own seat, as SVG; 404 where no other device could open what it says."""
    room = await rooms.room_of(request, code)
    grant = operations_of(request).auth.authenticate(request.headers)
    if grant.role is not Role.PLAYER or not grant.covers(room.channel):
        raise Unauthorized("Only who has a seat in this room can take it along.")
    address = _address(request)
    rooms.slow_down(request)
    # One of its own, so that a device that was lost can be shut out alone; whatever ends the present one ends it too.
    auth = operations_of(request).auth
    token, _ = auth.issue("player", room.channel, grant.player, LIFETIME, maker=grant)
    # Read off a bright screen at arm's length: little is lost, and larger squares count for more than their repair.
    link = f"{address}/r/{room.code}#seat={token}"
    return _drawn(segno.make_qr(link, error="l", boost_error=False), "no-store")


def _address(request: Request) -> str:
    """`address_for_others`; raises `ResourceNotFound` where there is none."""
    if address := address_for_others(request):
        return address
    raise ResourceNotFound(
        "No other device can reach this server: started with --host 0.0.0.0, it lets them in."
    )


def _drawn(code: segno.QRCode, cache: str) -> Response:
    picture = io.BytesIO()
    code.save(picture, kind="svg", xmldecl=False, omitsize=True, light="#fff")
    headers = {"cache-control": cache, **NOSNIFF}
    return Response(picture.getvalue(), headers=headers, media_type="image/svg+xml")


def address_for_others(request: Request) -> str:
    """The address by which others reach this server: the one by which the visitor did, unless that is the machine's own
    name for itself."""
    settings = settings_of(request)
    host = request.url.hostname or ""
    own = host == "localhost"
    with contextlib.suppress(ValueError):
        own = ipaddress.ip_address(host).is_loopback
    if settings.public_url or not own:
        return base_url(request)
    _, port = request.scope.get("server") or ("", settings.port)
    return addresses.for_others(settings, port)
