"""The HTTP door: ``POST /event`` as AppSync has it, reads of boards, and what operators ask for.

Every refusal of ``/event`` and ``/api`` has the shape that AppSync's SDKs read: ``errors``, and for amplify-js the
header ``x-amzn-errortype`` and a top-level ``message`` (AppSync Events guide, "Publish via HTTP").
"""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Annotated, Any, cast

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from leaderboard import channels, messages
from leaderboard.auth import Grant
from leaderboard.board import Row, View
from leaderboard.engines import Reading, Running
from leaderboard.errors import BadRequest, InternalFailure, Refusal, ResourceNotFound, Unauthorized
from leaderboard.messages import MAX_EVENTS, MAX_PLAYER, HttpPublish, Published
from leaderboard.operations import Operations
from leaderboard.settings import MAX_RADIUS, MAX_TOP, Settings

log = logging.getLogger(__name__)

EXPORT_PAGE = 1000
"""Rows of an export that are read at a time: a few milliseconds of everybody's loop."""
BOARDS_PAGE = 100
CREDENTIAL_HEADERS = ("x-api-key", "authorization")
_READ_HEADERS = {"cache-control": "no-cache", "vary": ", ".join(CREDENTIAL_HEADERS)}


class ApiRoute(APIRoute):
    """A route whose refusals, and faults, have AppSync's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, counted, with errors worded."""
        handle = super().get_route_handler()

        async def counted(request: Request) -> Response:
            metrics = request.app.state.operations.broker.metrics
            metrics.count("Requests")
            try:
                return await handle(request)
            except RequestValidationError as error:
                refusal: Refusal = BadRequest(_parameter_fault(error))
            except Refusal as raised:
                refusal = raised
            except Exception:
                log.exception("%s %s failed", request.method, request.url.path)
                refusal = InternalFailure()
            metrics.count("5XXError" if refusal.status >= 500 else "4XXError")
            return refused(refusal)

        return counted


def refused(
    refusal: Refusal, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """A refusal as AppSync's SDKs read it. Nobody may keep it: another credential might be answered otherwise."""
    content = {"errors": messages.errors([refusal]), "message": refusal.message}
    named = {**_READ_HEADERS, "x-amzn-errortype": refusal.error_type, **(headers or {})}
    return _json(content, status or refusal.status, named)


def router() -> APIRouter:
    """The routes. They expect ``operations``, ``settings`` and ``realtime`` on the application's state."""
    routes = APIRouter()
    door = APIRouter(route_class=ApiRoute)
    door.add_api_route(
        "/event", publish, methods=["POST"], tags=["Events"], openapi_extra=_PUBLISH_DOC
    )
    _add_read(door, "/api/boards", list_boards, tags=["Boards"], responses=_BOARDS_DOC)
    _add_read(door, "/api/boards/{channel:path}", read_board, tags=["Boards"], responses=_BOARD_DOC)
    routes.include_router(door)
    _add_read(routes, "/healthz", healthz, tags=["Operations"])
    _add_read(routes, "/readyz", readyz, tags=["Operations"])
    _add_read(routes, "/metrics", metrics, tags=["Operations"])
    return routes


def _add_read(routes: APIRouter, path: str, read: Callable[..., Any], **described: Any) -> None:
    """A route for GET, and for HEAD, with which load balancers and link checkers probe (RFC 9110, 9.3.2)."""
    routes.add_api_route(path, read, **described)
    routes.add_api_route(path, read, methods=["HEAD"], include_in_schema=False)


# -- POST /event -------------------------------------------------------------------------------------------------------


async def publish(request: Request) -> Response:
    """Publish 1 to 5 events to a channel. Each event is a JSON text; on a board channel it is a score event.

    Events are refused singly: the answer is 200 with `successful` and `failed`. The request as a whole is refused with
    `errors` if the credential, the channel or the number of events is wrong.
    """
    operations, settings = _operations(request), _settings(request)
    message = messages.decode_http_publish(await _body(request, settings.limits.frame))
    if len(message.events) > MAX_EVENTS:
        # The two doors of AppSync word this differently.
        raise BadRequest(f"Input exceeded {MAX_EVENTS} event limit")
    messages.check_events(message.events)
    target = operations.to_publish(message.channel, request.headers)
    answer: asyncio.Future[Published | Refusal] = asyncio.get_running_loop().create_future()

    def done(published: Published | Refusal) -> None:
        if not answer.done():  # the client may have gone
            answer.set_result(published)

    operations.publish(target, message.events, done, results=message.results)
    published = await answer
    if isinstance(published, Refusal):
        raise published
    return _json(published)


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise BadRequest(f"The request exceeds {limit} bytes")
    except ClientDisconnect:
        # Nobody reads this, but it is counted: as the client's doing, not as a fault of the server.
        raise BadRequest("The request ended before its body did") from None
    return bytes(body)


# -- reading boards ----------------------------------------------------------------------------------------------------


async def list_boards(
    request: Request,
    under: Annotated[
        str, Query(description="A channel; boards below it, as `/game`. Default: all.")
    ] = "",
    after: Annotated[str, Query(description="`next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="Boards per page.")] = BOARDS_PAGE,
) -> Response:
    """Running boards that the caller may see, by path."""
    operations = _operations(request)
    grant = _reader(request)
    pattern = f"{channels.parse(under)}/*" if under else channels.EVERYTHING
    found: list[Running] = []
    last = after
    while len(found) <= limit:
        page = await operations.broker.boards(pattern, last, limit + 1)
        found += [board for board in page if _may_see(operations, grant, board.channel)]
        if len(page) <= limit:
            break
        last = page[-1].channel
    boards = [
        {**msgspec.structs.asdict(board), "watching": operations.broker.watching(board.channel)}
        for board in found[:limit]
    ]
    following = boards[-1]["channel"] if len(found) > limit else None
    return _json({"boards": boards, "next": following}, headers=_READ_HEADERS)


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
) -> Response:
    """One board: the snapshot that a subscriber gets. With `.csv` or `.jsonl` behind the channel: all of its rows.

    Answers 304 to `If-None-Match` while nothing has changed. CSV guards cells that a spreadsheet would take for
    formulas with an apostrophe; JSON lines are exact.
    """
    operations = _operations(request)
    name, dot, form = channel.partition(".")
    if dot and form not in _EXPORTS:
        raise ResourceNotFound("A board can be had as .csv and as .jsonl")
    path = channels.parse(name)
    rules = _visible(request, path)
    if rules.kind != "board":
        raise ResourceNotFound(f"{path} is a relay channel: it has no ranking")
    if dot:
        return _export(operations, path, form)
    rows = top or (0 if around is not None and not offset else rules.top)
    view = View(top=rows, offset=offset, around=around, radius=2 if around is None else radius)
    reading = await operations.broker.read(path, view)
    headers = {**_READ_HEADERS, "etag": _etag(reading, view)}
    if _matches(request.headers.get("if-none-match", ""), headers["etag"]):
        return Response(status_code=304, headers=headers)
    text = operations.broker.render(reading)
    return Response(text, media_type="application/json", headers={**headers, **_NOSNIFF})


def _etag(reading: Reading, view: View) -> str:
    return f'W/"{reading.epoch}.{reading.version}.{zlib.crc32(msgspec.json.encode(view)):08x}"'


def _matches(condition: str, etag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


def _export(operations: Operations, path: str, form: str) -> Response:
    write, media_type = _EXPORTS[form]

    async def lines() -> AsyncIterator[str]:
        if form == "csv":
            yield _csv_line(("rank", "position", "player", "name", "score", "meta"))
        # A board that moves meanwhile is read at several versions: a player stands in the file once, at the
        # first place seen. One that is at rest is exact.
        seen: set[str] = set()
        offset = 0
        while True:
            view = View(top=EXPORT_PAGE, offset=offset)
            reading = await operations.broker.read(path, view)
            rows = reading.windows[view].rows or []
            yield "".join(write(row) for row in rows if row.player not in seen)
            if len(rows) < EXPORT_PAGE:
                return
            seen.update(row.player for row in rows)
            offset += EXPORT_PAGE
            await asyncio.sleep(0)

    name = f"{path[1:].replace('/', '-')}.{form}"
    disposition = {"content-disposition": f'attachment; filename="{name}"'}
    headers = {**_READ_HEADERS, **_NOSNIFF, **disposition}
    return StreamingResponse(lines(), media_type=media_type, headers=headers)


def _json_line(row: Row) -> str:
    return msgspec.json.encode(row).decode() + "\n"


def _csv_row(row: Row) -> str:
    meta = "" if row.meta is None else bytes(row.meta).decode()
    cells = (_plain(row.player), _plain(row.name or ""), row.score, _plain(meta))
    return _csv_line((row.rank, row.position, *cells))


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _csv_line(cells: tuple[object, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)  # RFC 4180
    return line.getvalue()


_EXPORTS: Mapping[str, tuple[Callable[[Row], str], str]] = {
    "csv": (_csv_row, "text/csv; charset=utf-8"),
    "jsonl": (_json_line, "application/jsonl; charset=utf-8"),
}


# -- who reads ---------------------------------------------------------------------------------------------------------


def _reader(request: Request) -> Grant:
    """Who reads: the bearer of the request's credential, else the public viewer. No public viewing is a 404."""
    auth = _operations(request).auth
    if any(name in request.headers for name in CREDENTIAL_HEADERS):
        return auth.authenticate(request.headers)
    viewer = auth.viewer()
    if viewer is None:
        raise ResourceNotFound("There is nothing here for callers without a credential")
    return viewer


def _may_see(operations: Operations, grant: Grant, path: str) -> bool:
    try:
        operations.auth.may_subscribe(grant, path, operations.broker.rules(path))
    except Unauthorized:
        return False
    return True


def _visible(request: Request, path: str) -> Any:
    """The rules of a channel that the caller may see; raises what the caller may know."""
    operations = _operations(request)
    grant = _reader(request)
    try:
        rules = operations.broker.rules(path)
        operations.auth.may_subscribe(grant, path, rules)
    except Unauthorized:
        if any(name in request.headers for name in CREDENTIAL_HEADERS):
            raise
        raise ResourceNotFound(f"There is no board {path} here") from None
    return rules


# -- operators ---------------------------------------------------------------------------------------------------------


async def healthz() -> Response:
    """The process is alive."""
    return _json({"status": "ok"})


async def readyz(request: Request) -> Response:
    """New connections are welcome; 503 while the server drains."""
    draining = request.app.state.realtime.draining
    return _json({"status": "draining" if draining else "ready"}, 503 if draining else 200)


async def metrics(request: Request) -> Response:
    """Counters for Prometheus, under AppSync's metric names."""
    text = _operations(request).broker.metrics.render()
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


# -- odds and ends -----------------------------------------------------------------------------------------------------

_NOSNIFF = {"x-content-type-options": "nosniff"}


def _json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        messages.encode(content), status, {**(headers or {}), **_NOSNIFF}, "application/json"
    )


def _operations(request: Request) -> Operations:
    return cast(Operations, request.app.state.operations)


def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


def _parameter_fault(error: RequestValidationError) -> str:
    return "; ".join(f"{item['loc'][-1]}: {item['msg']}" for item in error.errors())


class ErrorBody(msgspec.Struct):
    """What a refused request is answered with."""

    errors: list[dict[str, str]]
    message: str


_SCHEMAS = (HttpPublish, Published, ErrorBody, messages.Snapshot)


def schemas() -> dict[str, Any]:
    """JSON schemas of what goes in and out, generated from the types that decode and encode it."""
    template = "#/components/schemas/{name}"
    return msgspec.json.schema_components(_SCHEMAS, ref_template=template)[1]


def _content(name: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


_ERRORS_DOC: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused; `errors` says why.", **_content("ErrorBody")}
}
_PUBLISH_DOC: dict[str, Any] = {
    "requestBody": {"required": True, **_content("HttpPublish")},
    "responses": {
        "200": {"description": "What became of each event.", **_content("Published")},
        **_ERRORS_DOC,
    },
}
_BOARDS_DOC: dict[int | str, dict[str, Any]] = {**_ERRORS_DOC}
_BOARD_DOC: dict[int | str, dict[str, Any]] = {
    200: {"description": "The board through the view that was asked for.", **_content("Snapshot")},
    304: {"description": "Unchanged since the ETag given."},
    **_ERRORS_DOC,
}
