"""The HTTP door: ``POST /event`` as AppSync has it, `boards`, `rooms`, and what operators ask for."""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import PlainTextResponse

from leaderboard import asyncapi, boards, lobby, messages, sharing, snapshots, strict, tokens
from leaderboard.answers import (
    ERRORS_DOC,
    READ_HEADERS,
    ApiRoute,
    ErrorBody,
    add_read,
    base_url,
    body_of,
    content,
    json_answer,
    manager,
    operations_of,
    publish_to,
    refused,
    settings_of,
)
from leaderboard.errors import BadRequest, ResourceNotFound, Unauthorized
from leaderboard.messages import MAX_EVENTS, HttpPublish
from leaderboard.replies import Published

_PUBLISH_DOC: dict[str, Any] = {
    "requestBody": {"required": True, **content("HttpPublish")},
    "responses": {
        "200": {"description": "What became of each event.", **content("Published")},
        **ERRORS_DOC,
    },
}
_SCHEMAS = (
    HttpPublish,
    Published,
    ErrorBody,
    snapshots.Snapshot,
    boards.Players,
    boards.HostEvent,
    *lobby.SCHEMAS,
    *sharing.SCHEMAS,
)


def router() -> APIRouter:
    """The routes. They expect ``operations``, ``settings`` and ``realtime`` on the application's state."""
    routes = APIRouter()
    door = APIRouter(route_class=ApiRoute)
    door.add_api_route(
        "/event", publish, methods=["POST"], tags=["Events"], openapi_extra=_PUBLISH_DOC
    )
    boards.add_to(door)
    lobby.add_to(door)
    sharing.add_to(door)
    door.add_api_route(
        "/api/tokens/{token_id}",
        revoke,
        methods=["DELETE"],
        status_code=204,
        response_description="The token is revoked.",
        tags=["Tokens"],
        responses=ERRORS_DOC,
    )
    routes.include_router(door)
    add_read(routes, "/asyncapi.json", described, tags=["Operations"])
    add_read(routes, "/healthz", healthz, tags=["Operations"])
    add_read(routes, "/readyz", readyz, tags=["Operations"])
    add_read(routes, "/metrics", metrics, tags=["Operations"], response_class=PlainTextResponse)
    return routes


def schemas() -> dict[str, Any]:
    """JSON schemas of what goes in and out, generated from the types that decode and encode it."""
    template = "#/components/schemas/{name}"
    return msgspec.json.schema_components(_SCHEMAS, ref_template=template)[1]


async def publish(request: Request) -> Response:
    """Publish 1 to 5 events to a channel. Each event is a JSON text; on a board channel it is a score event.

    Events are refused singly: the answer is 200 with `successful` and `failed`. The request as a whole is refused with
    `errors` if the credential, the channel or the number of events is wrong.
    """
    settings = settings_of(request)
    message = messages.decode_http_publish(await body_of(request, settings.limits.frame))
    if len(message.events) > MAX_EVENTS:
        # The two doors of AppSync word this differently.
        raise BadRequest(f"Input exceeded {MAX_EVENTS} event limit")
    messages.check_events(message.events)
    results = message.results
    if (emulation := request.app.state.emulation) is not None:
        strict.look_at_publish(emulation, request.headers, results=results)
        results = False
    return await publish_to(request, message.channel, message.events, results=results)


# -- tokens ------------------------------------------------------------------------------------------------------------


async def revoke(
    request: Request,
    token_id: Annotated[str, Path(max_length=tokens.MAX_ID, description="The token's `jti`.")],
) -> Response:
    """Revoke a signed token, for an admin: it opens nothing any more, and what it has opened ends now.

    Any id will do, since the server keeps no list of the tokens that were issued. A revocation is forgotten with the
    boards, when the server or its Redis ends; the setting `tokens_not_before` ends all older tokens for good.
    """
    operations = operations_of(request)
    operations.auth.access.may_revoke(await manager(request))
    # Nothing but its end at the latest is known of it.
    await operations.broker.revoke(token_id, time.time() + tokens.LIFETIME + tokens.SKEW)
    return Response(status_code=204, headers=READ_HEADERS)


# -- operators ---------------------------------------------------------------------------------------------------------


async def described(request: Request) -> Response:
    """The WebSocket, as an AsyncAPI 3 document."""
    return json_answer(asyncapi.document(base_url(request)))


async def healthz() -> Response:
    """The process is alive."""
    return json_answer({"status": "ok"})


async def readyz(request: Request) -> Response:
    """New connections are welcome; 503 while the server drains, or while boards cannot be reached."""
    if request.app.state.realtime.draining:
        return json_answer({"status": "draining"}, 503)
    if not operations_of(request).broker.healthy:
        return json_answer({"status": "engine unavailable"}, 503)
    return json_answer({"status": "ready"})


_SHARED = "Several workers share this port, and each counts for itself: set worker_port, and ask each at its own port."


async def metrics(request: Request) -> Response:
    """Counters for Prometheus, under AppSync's metric names. They may ask for a key (`metrics_key`)."""
    settings = settings_of(request)
    port = (request.scope.get("server") or ("", 0))[1] or 0
    key = settings.metrics_key.get_secret_value()
    if key and not _carries(request, key):
        refusal = Unauthorized("Metrics are for those who carry the metrics_key.")
        operations_of(request).refusals.note("GET /metrics", refusal)
        return refused(refusal, headers={"www-authenticate": "Bearer"})
    if settings.workers > 1 and not 0 <= port - settings.worker_port < settings.workers:
        # Whichever worker answers: its counters, and the next time another's, would seem to run backwards.
        return refused(ResourceNotFound(_SHARED), 404)
    text = operations_of(request).broker.metrics.render()
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _carries(request: Request, key: str) -> bool:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = bearer if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    return secrets.compare_digest(given.encode(), key.encode())
