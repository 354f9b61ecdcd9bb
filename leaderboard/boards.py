"""Boards over HTTP: who runs, one board, its players, and what its host decides."""

from __future__ import annotations

import zlib
from typing import Annotated, Any, get_args

import msgspec
from fastapi import APIRouter, Query, Request, Response

from leaderboard import channels
from leaderboard.answers import (
    ERRORS_DOC,
    NOSNIFF,
    READ_HEADERS,
    add_read,
    body_of,
    content,
    json_answer,
    operations_of,
    publish_to,
    reader,
    visible,
)
from leaderboard.engines import Reading, Running
from leaderboard.errors import BadRequest, ResourceNotFound, Unauthorized
from leaderboard.events import MAX_N, MAX_PLAYER, Control, Remove
from leaderboard.exports import FORMS, PAGE, export
from leaderboard.grants import Role
from leaderboard.messages import MAX_EVENT_BYTES
from leaderboard.operations import Operations
from leaderboard.people import Person
from leaderboard.ranking import View
from leaderboard.settings import MAX_RADIUS, MAX_TOP

BOARDS_PAGE = 100
PLAYERS_PAGE = 100


def add_to(routes: APIRouter) -> None:
    """Add the routes."""
    add_read(routes, "/api/boards", list_boards, tags=["Boards"], responses=ERRORS_DOC)
    path = "/api/boards/{channel:path}"
    add_read(
        routes, "/api/players/{channel:path}", list_players, tags=["Boards"], responses=_PLAYERS_DOC
    )
    add_read(routes, path, read_board, tags=["Boards"], responses=_BOARD_DOC)
    routes.add_api_route(
        path, control_board, methods=["POST"], tags=["Boards"], openapi_extra=_CONTROL_DOC
    )


HostEvent = Control | Remove
"""What a host may do to a board."""
_BOARD_DOC: dict[int | str, dict[str, Any]] = {
    200: {"description": "The board through the view that was asked for.", **content("Snapshot")},
    304: {"description": "Unchanged since the ETag given."},
    **ERRORS_DOC,
}
_PLAYERS_DOC: dict[int | str, dict[str, Any]] = {
    200: {"description": "The players that were found.", **content("Players")},
    **ERRORS_DOC,
}
_CONTROL_DOC: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        {"$ref": f"#/components/schemas/{event.__name__}"}
                        for event in get_args(HostEvent)
                    ]
                },
                "example": {"op": "open", "in_ms": 3000, "for_ms": 30000},
            }
        },
    },
    "responses": {
        "200": {"description": "What became of the event.", **content("Published")},
        **ERRORS_DOC,
    },
}


class Players(msgspec.Struct):
    """Players of a board as its host sees them."""

    players: list[Person]


async def list_boards(
    request: Request,
    under: Annotated[
        str, Query(description="A channel; boards below it, as `/game`. Default: all.")
    ] = "",
    after: Annotated[str, Query(description="`next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="Boards per page.")] = BOARDS_PAGE,
) -> Response:
    """Running boards that the caller may see, by path."""
    operations = operations_of(request)
    grant = await reader(request)
    pattern = f"{channels.parse(under)}/*" if under else channels.EVERYTHING
    found: list[Running] = []
    last = after
    while len(found) <= limit:
        page = await operations.broker.boards(pattern, last, limit + 1)
        found += [board for board in page if operations.targets.lists(grant, board.channel)]
        if len(page) <= limit:
            break
        last = page[-1].channel
    boards = [
        {**msgspec.structs.asdict(board), "watching": operations.broker.watching(board.channel)}
        for board in found[:limit]
    ]
    following = boards[-1]["channel"] if len(found) > limit else None
    return json_answer({"boards": boards, "next": following}, headers=READ_HEADERS)


async def read_board(
    request: Request,
    channel: str,
    top: Annotated[
        int | None, Query(ge=1, le=MAX_TOP, description="Rows. Default: the namespace's.")
    ] = None,
    offset: Annotated[
        int, Query(ge=0, le=10_000_000, description="Rows passed over before the first.")
    ] = 0,
    around: Annotated[
        str | None, Query(min_length=1, max_length=MAX_PLAYER, description="A player.")
    ] = None,
    radius: Annotated[
        int, Query(ge=0, le=MAX_RADIUS, description="Rows on both sides of `around`.")
    ] = 2,
    number: Annotated[
        int | None,
        Query(
            alias="round",
            ge=1,
            le=MAX_N,
            description="A round: the present one, or one of the last ten.",
        ),
    ] = None,
    live: Annotated[bool, Query(description="See behind what is frozen; for hosts.")] = False,
) -> Response:
    """One board: the snapshot that a subscriber gets. With `.csv` or `.jsonl` behind the channel: all of its rows.

    Answers 304 to `If-None-Match` while nothing has changed. CSV guards cells that a spreadsheet would take for
    formulas with an apostrophe; JSON lines are exact.
    """
    operations = operations_of(request)
    name, dot, form = channel.partition(".")
    if dot and form not in FORMS:
        raise ResourceNotFound("A board can be had as .csv and as .jsonl")
    path = channels.parse(name)
    rules, grant = await visible(request, path)
    if rules.kind != "board":
        raise ResourceNotFound(f"{path} is a relay channel: it has no ranking")
    if live and grant.role < Role.HOST:
        raise Unauthorized("Only a host sees behind a frozen board.")
    if dot:
        view = View(top=PAGE, round=number, live=live)
        first = await _read(operations, path, view)
        return export(operations.broker, first, view, form, request.app.state.exports)
    view = View(
        top=top or (0 if around is not None and not offset else rules.top),
        offset=offset,
        around=around,
        radius=2 if around is None else radius,
        round=number,
        live=live,
    )
    reading = await _read(operations, path, view)
    headers = {**READ_HEADERS, "etag": _etag(reading, view)}
    if _matches(request.headers.get("if-none-match", ""), headers["etag"]):
        return Response(status_code=304, headers=headers)
    text = operations.broker.render(reading)
    return Response(text, media_type="application/json", headers={**headers, **NOSNIFF})


async def _read(operations: Operations, path: str, view: View) -> Reading:
    reading = await operations.broker.read(path, view)
    if view not in reading.windows:
        raise ResourceNotFound(f"Round {view.round} of {path} is not kept")
    return reading


def _etag(reading: Reading, view: View) -> str:
    state = (reading.round, reading.frozen, reading.veiled, reading.props, view)
    digest = zlib.crc32(msgspec.json.encode(state))
    return f'W/"{reading.epoch}.{reading.windows[view].version}.{digest:08x}"'


def _matches(condition: str, etag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


# -- what a host does --------------------------------------------------------------------------------------------------


async def control_board(request: Request, channel: str) -> Response:
    """One event of a host: open, close, clear, freeze, unfreeze, reveal, props, enter, hide, show, ban, unban, undo,
    remove.

    The body is the event, as it would be published on the channel; the answer is that of `POST /event`.
    """
    path = channels.parse(channel)
    body = await body_of(request, MAX_EVENT_BYTES)
    try:
        event = body.decode()
    except UnicodeDecodeError:
        raise BadRequest("The body is not UTF-8") from None
    return await publish_to(request, path, [event], boards_only=True)


async def list_players(
    request: Request,
    channel: str,
    prefix: Annotated[
        str, Query(max_length=MAX_PLAYER, description="How a name or an id begins, in any case.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="Players at most.")] = PLAYERS_PAGE,
) -> Response:
    """Players of a board as its host sees them: those who are hidden and banned too.

    Looks at the first 10,000 entries, in the order in which they came.
    """
    operations = operations_of(request)
    path = channels.parse(channel)
    rules, grant = await visible(request, path)
    if rules.kind != "board":
        raise ResourceNotFound(f"{path} is a relay channel: it has no players")
    if grant.role < Role.HOST:
        raise Unauthorized("Only a host may search the players of a board.")
    people = await operations.broker.people(path, prefix, limit)
    return json_answer(Players(people), headers=READ_HEADERS)
