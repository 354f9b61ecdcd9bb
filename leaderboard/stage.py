"""The controls of a room, as forms: `POST /ui/room/{code}/{act}`, and the fragments that htmx puts into the pages.

Each becomes an event of the board, published by the right of the host's token like any other, so that every screen, on
whatever server, learns of it from the next snapshot. A form that is sent without a script leads back to its page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from leaderboard.answers import operations_of
from leaderboard.engines import Reading
from leaderboard.errors import BadRequest, ResourceNotFound
from leaderboard.host import SEEN, ControlRoute, form_of, gathered, own_room, staging, token_of
from leaderboard.rendering import html_page
from leaderboard.replies import encode
from leaderboard.rooms import MOST_BOTS, MOST_RATE, Room

COUNTDOWN = 3000
"""Milliseconds from the press of a button to the round: 3, 2, 1."""
REVEAL = 1500
"""Milliseconds between two places that are revealed by themselves."""

Form = dict[str, str]
Events = list[dict[str, Any]]


def router() -> APIRouter:
    """The routes. They expect what those of `host` do."""
    routes = APIRouter(route_class=ControlRoute, include_in_schema=False)
    routes.add_api_route("/ui/room/{code}/controls", controls, methods=["GET"])
    routes.add_api_route("/ui/room/{code}/players", players, methods=["GET"])
    routes.add_api_route("/ui/room/{code}/{act}", control, methods=["POST"])
    return routes


async def controls(request: Request, code: str) -> HTMLResponse:
    """The controls as the room now is."""
    room, reading = await _room(request, code)
    return html_page(request, "_controls.html", **staging(room, reading))


async def players(request: Request, code: str, prefix: str = "") -> HTMLResponse:
    """Who is in the room, hidden and removed players too."""
    room, reading = await _room(request, code)
    known = {**staging(room, reading), **await gathered(request, room, prefix)}
    return html_page(request, "_people.html", **known)


async def control(request: Request, code: str, act: str) -> Response:
    """Do one thing to the room; the answer is the controls as they then are."""
    form = await form_of(request)
    room, reading = await _room(request, code)
    events_of = _ACTS.get(act)
    if events_of is None:
        raise ResourceNotFound("There is no such control.")
    events = events_of(form, room, reading)
    if events:
        texts = [encode(event).decode() for event in events]
        credentials = {"authorization": token_of(request, room)}
        published = await operations_of(request).perform(room.channel, credentials, texts)
        if published.failed:
            raise BadRequest(published.failed[0].message)
    if act == "bots":
        request.app.state.bots.look_after(room.channel)
    if "hx-request" in request.headers:
        return await controls(request, code)
    page = "present" if form.get("from") == "present" else "remote"
    return RedirectResponse(f"/r/{room.code}/{page}", 303)


async def _room(request: Request, code: str) -> tuple[Room, Reading]:
    """The room, if the request is its host's, and its board."""
    room = await own_room(request, code)
    return room, await operations_of(request).broker.read(room.channel, SEEN)


# -- what each control does --------------------------------------------------------------------------------------------


def _start(_: Form, room: Room, reading: Reading) -> Events:
    """3, 2, 1, and the round; after one that is over the next, with the same players. Pressed twice it is once."""
    if reading.round.state != "closed":
        return []
    over = staging(room, reading)["over"]
    if over and reading.frozen:
        raise BadRequest("The standings are frozen: reveal or unfreeze them first.")
    number = reading.round.number + over
    return [
        *([{"op": "clear", "players": True}] if over else []),
        _props(reading, played=number),
        {"op": "open", "in_ms": COUNTDOWN, "for_ms": room.game.round_ms},
    ]


def _stop(_: Form, __: Room, reading: Reading) -> Events:
    """No score counts any more; a round that had not begun has not been."""
    if reading.round.state == "closed":
        return []
    begun = reading.round.state == "open"
    return [{"op": "close"}, *([] if begun else [_props(reading, played=0)])]


def _reset(_: Form, __: Room, reading: Reading) -> Events:
    """Back to the lobby: the same players at 0."""
    if reading.frozen:
        raise BadRequest("The standings are frozen: reveal or unfreeze them first.")
    ended = [{"op": "close"}] if reading.round.state != "closed" else []
    return [*ended, {"op": "clear", "players": True}]


def _names(form: Form, _: Room, reading: Reading) -> Events:
    return [_props(reading, hide_names=form.get("hide") == "1")]


def _bots(form: Form, room: Room, reading: Reading) -> Events:
    bots = _number(form, "bots", room.game.bots, MOST_BOTS)
    rate = _number(form, "rate", room.game.rate, MOST_RATE)
    return [_props(reading, bots=bots, rate=rate)]


def _reveal(form: Form, _: Room, __: Reading) -> Events:
    if form.get("every"):
        return [{"op": "reveal", "every_ms": REVEAL}]
    return [{"op": "reveal", "steps": 1}]


def _player(op: str) -> Callable[[Form, Room, Reading], Events]:
    return lambda form, _, __: [{"op": op, "player": form.get("player", "")}]


def _plain(op: str) -> Callable[[Form, Room, Reading], Events]:
    return lambda _, __, ___: [{"op": op}]


_ACTS: dict[str, Callable[[Form, Room, Reading], Events]] = {
    "start": _start,
    "stop": _stop,
    "reset": _reset,
    "freeze": _plain("freeze"),
    "unfreeze": _plain("unfreeze"),
    "reveal": _reveal,
    "names": _names,
    "bots": _bots,
    "remove": _player("ban"),
    "readmit": _player("unban"),
    "undo": _plain("undo"),
}


def _props(reading: Reading, **changed: Any) -> dict[str, Any]:
    """The event that changes some of what everybody may see of a room."""
    public = msgspec.json.decode(reading.props, type=dict[str, Any])
    return {"op": "props", "props": {"public": {**public, **changed}}}


def _number(form: Form, name: str, default: int, most: int) -> int:
    text = form.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= most):
        raise BadRequest(f"{name} is a number from 0 to {most}.")
    return int(text)
