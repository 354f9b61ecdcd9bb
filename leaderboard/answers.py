"""How HTTP requests are read and answered: in the shape that AppSync's SDKs read, refusals included.

Every refusal of ``/event`` and ``/api`` has ``errors``, and for amplify-js the header ``x-amzn-errortype`` and a
top-level ``message`` (AppSync Events guide, "Publish via HTTP").
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from leaderboard import channels, replies
from leaderboard.access import Wanted
from leaderboard.engines import answer_of
from leaderboard.errors import (
    BadRequest,
    Denied,
    InternalFailure,
    LimitExceeded,
    Refusal,
    Refused,
    ResourceNotFound,
    Unauthorized,
    reason,
)
from leaderboard.grants import Grant
from leaderboard.operations import Operations
from leaderboard.patience import SMALL, Unfinished
from leaderboard.settings import Namespace, Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

CREDENTIAL_HEADERS = ("x-api-key", "authorization")
READ_HEADERS = {"cache-control": "no-cache", "vary": ", ".join(CREDENTIAL_HEADERS)}
NOSNIFF = {"x-content-type-options": "nosniff"}
MAX_BODY = 4096
"""Bytes of a request that describes something; what is published may have more."""


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
            operation = f"{request.method} {request.scope['route'].path_format}"
            request.app.state.operations.refusals.note(operation, refusal)
            return refused(refusal)

        return counted


def refused(
    refusal: Refusal, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """A refusal as AppSync's SDKs read it. Nobody may keep it: another credential might be answered otherwise."""
    content = {"errors": replies.errors([refusal]), "message": refusal.message}
    named = {**READ_HEADERS, "x-amzn-errortype": refusal.error_type, **(headers or {})}
    if refusal.retry_after is not None:
        named["retry-after"] = str(
            math.ceil(refusal.retry_after)
        )  # whole seconds (RFC 9110, 10.2.3)
    return json_answer(content, status or refusal.status, named)


def add_read(routes: APIRouter, path: str, read: Callable[..., Any], **described: Any) -> None:
    """A route for GET, and for HEAD, with which load balancers and link checkers probe (RFC 9110, 9.3.2)."""
    routes.add_api_route(path, read, **described)
    routes.add_api_route(path, read, methods=["HEAD"], include_in_schema=False)


# -- answers -----------------------------------------------------------------------------------------------------------


def json_answer(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A value as JSON."""
    return Response(
        replies.encode(content), status, {**(headers or {}), **NOSNIFF}, "application/json"
    )


def operations_of(request: Request) -> Operations:
    """The operations of the application."""
    return cast(Operations, request.app.state.operations)


def settings_of(request: Request) -> Settings:
    """The settings of the application."""
    return cast(Settings, request.app.state.settings)


def base_url(request: Request) -> str:
    """The address of this server as its visitors know it, without a slash at the end."""
    return settings_of(request).public_url or str(request.base_url).rstrip("/")


def _parameter_fault(error: RequestValidationError) -> str:
    return "; ".join(f"{item['loc'][-1]}: {item['msg']}" for item in error.errors())


class ErrorBody(msgspec.Struct):
    """What a refused request is answered with."""

    errors: list[dict[str, str | int]]
    message: str


def content(name: str) -> dict[str, Any]:
    """OpenAPI's word for JSON of the schema of that name."""
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


ERRORS_DOC: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused; `errors` says why.", **content("ErrorBody")}
}


# -- what goes in ------------------------------------------------------------------------------------------------------


async def body_of(request: Request, limit: int) -> bytes:
    """The whole body of a request; raises `BadRequest` beyond ``limit`` bytes, and `LimitExceeded` for a long one while
    too much has come in part, of others."""
    unfinished: Unfinished = request.app.state.unfinished
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            unfinished.held += len(chunk)
            if len(body) > limit:
                raise BadRequest(f"The request exceeds {limit} bytes")
            if unfinished.held > unfinished.most and len(body) > SMALL:
                raise LimitExceeded("Too many long requests have come in part.", retry_after=1.0)
    except ClientDisconnect:
        # Nobody reads this, but it is counted: as the client's doing, not as a fault of the server.
        raise BadRequest("The request ended before its body did") from None
    finally:
        unfinished.held -= len(body)
    return bytes(body)


async def value_of(request: Request, kind: type[T]) -> T:
    """The body of a request as the value that it describes, none as one of defaults; raises `BadRequest`."""
    body = await body_of(request, MAX_BODY)
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (ValueError, RecursionError) as error:
        raise BadRequest(reason(error)) from None


def row_count(name: str, text: str, most: int, default: int) -> int:
    """A number of rows, as the member ``name`` of an address has it; raises `BadRequest`."""
    # Digits of other scripts are digits to Python; an address is ASCII.
    if text and not (re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= most):
        raise BadRequest(f"{name} is a number of rows from 1 to {most}.")
    return int(text or default)


def one_of(name: str, text: str, known: tuple[str, ...]) -> str:
    """One of the known values, the first unless given; raises `BadRequest`."""
    if text and text not in known:
        raise BadRequest(f"{name} is one of {', '.join(filter(None, known))}.")
    return text or known[0]


async def publish_to(
    request: Request,
    channel: str,
    events: Sequence[str],
    *,
    results: bool = False,
    boards_only: bool = False,
) -> Response:
    """Publish by the right of a request's credential; the answer, or raises what none of it was done for."""
    operations = operations_of(request)
    published = await operations.perform(
        channel, request.headers, events, results=results, boards_only=boards_only
    )
    return json_answer(published)


# -- who reads ---------------------------------------------------------------------------------------------------------


async def reader(request: Request, path: str = channels.EVERYTHING) -> Grant:
    """Who reads a channel, or whatever there is: the bearer of the request's credential, else the public viewer.

    No public viewing is a 404.
    """
    auth = operations_of(request).auth
    if is_signed(request):
        rules = settings_of(request).namespaces.get(channels.namespace(path))
        return await identified(
            request, auth.access.to_subscribe(path, rules, auth.access.caller(request.headers))
        )
    viewer = auth.viewer()
    if viewer is None:
        raise ResourceNotFound("There is nothing here for callers without a credential")
    return viewer


async def manager(request: Request, path: str = channels.EVERYTHING) -> Grant:
    """Who wants to change something on a channel, or everywhere; raises `Unauthorized`."""
    auth = operations_of(request).auth
    rules = settings_of(request).namespaces.get(channels.namespace(path))
    return await identified(
        request, auth.access.to_publish(path, rules, auth.access.caller(request.headers))
    )


async def identified(request: Request, wanted: Wanted) -> Grant:
    """The grant of a request's credential; raises why there is none."""
    auth = operations_of(request).auth
    grant: Grant | Refusal = await answer_of(partial(auth.identify, request.headers, wanted))
    if isinstance(grant, Refusal):
        raise grant
    return grant


def is_signed(request: Request) -> bool:
    """Whether a request has a credential, good or not."""
    return any(name in request.headers for name in CREDENTIAL_HEADERS)


async def visible(request: Request, path: str) -> tuple[Namespace, Grant]:
    """The rules of a channel that the caller may see, and by what right; raises what the caller may know."""
    grant = await reader(request, path)
    try:
        if not grant.covers(path):
            raise Unauthorized  # who may not go there does not learn whether it is there
        target = await operations_of(request).targets.to_read(path, grant)
    except (Unauthorized, Denied):
        if is_signed(request):
            raise
        raise ResourceNotFound(f"There is no board {path} here") from None
    return target.rules, grant


async def is_public(request: Request, path: str) -> bool:
    """Whether everybody may see a channel, by the viewer's key."""
    operations = operations_of(request)
    viewer = operations.auth.viewer()
    if viewer is None:
        return False
    try:
        await operations.targets.to_read(path, viewer)
    except (Unauthorized, Denied, Refused):
        return False
    return True
