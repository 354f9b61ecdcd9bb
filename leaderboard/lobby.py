"""The rooms of the browser game over HTTP: make one, look it up, join it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from msgspec import Meta, Struct

from leaderboard.answers import (
    ERRORS_DOC,
    READ_HEADERS,
    add_read,
    base_url,
    content,
    json_answer,
    manager,
    operations_of,
    settings_of,
    value_of,
)
from leaderboard.errors import Unauthorized
from leaderboard.grants import Role
from leaderboard.rooms import (
    GAME,
    Joined,
    NewRoom,
    Room,
    channel_of,
    free_name,
    join,
    new_room,
    room_of,
    slow_down,
)


class Made(Struct, frozen=True):
    """A new room. ``host_token`` is the credential of its host, for this room alone and for a day."""

    code: str
    channel: str
    join_url: str
    host_token: str


class Joining(Struct, frozen=True, forbid_unknown_fields=True):
    """Who joins; without a name one is given."""

    name: Annotated[str, Meta(max_length=1000)] | None = None


class Suggestion(Struct, frozen=True):
    """A name that is free."""

    name: str


SCHEMAS = (NewRoom, Made, Room, Joining, Joined, Suggestion)


def add_to(routes: APIRouter) -> None:
    """Add the routes."""
    for path, made, takes, gives in (
        ("/api/rooms", make_room, "NewRoom", "Made"),
        ("/api/rooms/{code}/players", join_room, "Joining", "Joined"),
    ):
        doc: dict[str, Any] = {
            "requestBody": {"required": False, **content(takes)},
            "responses": {"201": {"description": "Done.", **content(gives)}, **ERRORS_DOC},
        }
        routes.add_api_route(
            path, made, methods=["POST"], status_code=201, tags=["Rooms"], openapi_extra=doc
        )
    for path, read, gives in (
        ("/api/rooms/{code}", read_room, "Room"),
        ("/api/rooms/{code}/suggestion", suggest_name, "Suggestion"),
    ):
        found: dict[int | str, Any] = {
            200: {"description": "What was found.", **content(gives)},
            **ERRORS_DOC,
        }
        add_read(routes, path, read, tags=["Rooms"], responses=found)


async def make_room(request: Request) -> Response:
    """Make a room: anyone may, or a host, as the setting `rooms` says. It ends two hours after its last use."""
    settings = settings_of(request)
    if settings.rooms == "host":
        grant = await manager(request, f"/{GAME}/*")
        if grant.role < Role.HOST or not grant.covers(f"/{GAME}/*"):
            raise Unauthorized("Only a host may make a room here.")
    wanted = await value_of(request, NewRoom)
    slow_down(request)
    code, token = await new_room(operations_of(request), settings, wanted)
    request.app.state.bots.look_after(channel_of(code))
    made = Made(code, channel_of(code), f"{base_url(request)}/j/{code}", token)
    return json_answer(made, 201, READ_HEADERS)


async def read_room(request: Request, code: str) -> Response:
    """A room: its game, its round, and how many play."""
    return json_answer(await room_of(request, code), headers=READ_HEADERS)


async def suggest_name(request: Request, code: str) -> Response:
    """A friendly name that nobody in the room has."""
    name = await free_name(request, await room_of(request, code))
    return json_answer(Suggestion(name), headers=READ_HEADERS)


async def join_room(request: Request, code: str) -> Response:
    """Join a room, at any time of a round. The token of a player of the room, as `Authorization`, brings that one back.

    A name has 1 to 20 letters, as readers count them; one that is taken gets a number.
    """
    room = await room_of(request, code)
    joining = await value_of(request, Joining)
    slow_down(request)
    return json_answer(await join(request, room, joining.name), 201, READ_HEADERS)
