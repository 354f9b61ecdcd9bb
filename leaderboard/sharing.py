"""Links that carry a role: made by a host, shown as an address and as a QR code, listed, and taken back.

A link is an address with a signed token in its fragment, which no browser sends to any server. The token is told once,
to who makes it. What is kept of it, in memory and until it ends, is what may be listed: its id and what it is good for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
import segno
from fastapi import APIRouter, Path, Request, Response
from msgspec import Meta, Struct

from leaderboard import channels, tokens
from leaderboard.answers import (
    ERRORS_DOC,
    READ_HEADERS,
    add_read,
    base_url,
    body_of,
    content,
    json_answer,
    manager,
    operations_of,
)
from leaderboard.auth import Grant, Role
from leaderboard.errors import BadRequest, LimitExceeded, ResourceNotFound, Unauthorized
from leaderboard.events import PlayerId
from leaderboard.rooms import GAME
from leaderboard.tokens import LIFETIME, MAX_RATE, Claims, TokenRole

MOST = 10_000
"""Links that are good at the same time: what is kept of each is some hundred bytes."""
MAX_BODY = 4096

LinkRole = Literal["viewer", "player", "scorekeeper", "presenter", "game-server"]
ROLES: dict[LinkRole, TokenRole] = {
    "viewer": "viewer",
    "player": "player",
    "scorekeeper": "scorekeeper",
    "presenter": "host",
    "game-server": "scorekeeper",
}
"""What people call them, and the role of the token: a game server is a scorekeeper that is no person."""


class NewLink(Struct, frozen=True, forbid_unknown_fields=True):
    """What a link is to be good for; ``seconds`` is how long, ``rate`` its publishes in any second."""

    role: LinkRole
    channel: Annotated[str, Meta(max_length=300)]
    player: PlayerId | None = None
    seconds: Annotated[int, Meta(ge=1, le=LIFETIME)] = 7200
    rate: Annotated[int, Meta(ge=1, le=MAX_RATE)] | None = None
    label: Annotated[str, Meta(max_length=60)] = ""


class Link(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A link that was made, without its token; times in seconds since 1970."""

    id: str
    role: LinkRole
    channel: str
    issued: int
    ends: int
    player: str | None = None
    rate: int | None = None
    label: str = ""


class Fresh(Link, frozen=True, kw_only=True, omit_defaults=True):
    """A link as it is told to who made it, once. ``qr`` is a QR code of the address, as SVG."""

    url: str
    token: str
    qr: str


class Links(Struct, frozen=True):
    """Links that are good, the newest first."""

    links: list[Link]


SCHEMAS = (NewLink, Fresh, Links)


class Issued:
    """The links of this process that are good, each with the credential that made it."""

    def __init__(self) -> None:
        self._links: dict[str, tuple[Link, str]] = {}

    def add(self, link: Link, maker: str) -> None:
        """Keep a link; raises `LimitExceeded` where there are as many as may be."""
        if len(self._links) >= MOST:
            self._links = {name: each for name, each in self._links.items() if _is_good(each[0])}
        if len(self._links) >= MOST:
            raise LimitExceeded(f"{MOST} links are good now, and no more may be. Revoke some.")
        self._links[link.id] = (link, maker)

    def of(self, grant: Grant) -> list[Link]:
        """Those that a grant may see."""
        links = (link for link, _ in reversed(self._links.values()))
        return [link for link in links if _is_good(link) and grant.covers(link.channel)]

    def get(self, link_id: str) -> Link | None:
        """A link that is good."""
        link = self._links.get(link_id, (None, ""))[0]
        return link if link is not None and _is_good(link) else None

    def forget(self, token_id: str) -> Iterator[str]:
        """Forget a token that is not good any more, and the links that were made by it; yields the ids of all."""
        self._links.pop(token_id, None)
        yield token_id
        for name in [name for name, (_, maker) in self._links.items() if maker == token_id]:
            yield from self.forget(name)


def _is_good(link: Link) -> bool:
    return link.ends > time.time()


def add_to(routes: APIRouter) -> None:
    """Add the routes."""
    made: dict[str, Any] = {
        "requestBody": {"required": True, **content("NewLink")},
        "responses": {"201": {"description": "The link.", **content("Fresh")}, **ERRORS_DOC},
    }
    routes.add_api_route(
        "/api/links",
        make_link,
        methods=["POST"],
        status_code=201,
        tags=["Links"],
        openapi_extra=made,
    )
    found: dict[int | str, Any] = {
        200: {"description": "The links.", **content("Links")},
        **ERRORS_DOC,
    }
    add_read(routes, "/api/links", list_links, tags=["Links"], responses=found)
    routes.add_api_route(
        "/api/links/{link_id}",
        revoke_link,
        methods=["DELETE"],
        status_code=204,
        response_description="The link is good for nothing any more.",
        tags=["Links"],
        responses=ERRORS_DOC,
    )


async def make_link(request: Request) -> Response:
    """Make a link to channels of one's own: for a host of them, or an admin.

    It ends with the credential that makes it, if that ends before, and is revoked with it.
    """
    wanted = _decoded(await body_of(request, MAX_BODY))
    path = channels.parse_credential_pattern(wanted.channel)
    grant = _host(await manager(request, path), path)
    if path != channels.EVERYTHING:
        operations_of(request).broker.rules(
            path
        )  # a link to where nothing can ever be is a mistake
    lifetime = wanted.seconds
    if grant.ends is not None:
        lifetime = min(lifetime, int(grant.ends - time.time()))
    text, claims = operations_of(request).auth.issue(
        ROLES[wanted.role], path, wanted.player, max(lifetime, 1), wanted.rate
    )
    link = _link(wanted, path, claims)
    issued: Issued = request.app.state.links
    issued.add(link, grant.id)
    url = base_url(request) + _page(wanted.role, path, text)
    code = segno.make(url, error="m").svg_inline(scale=4, border=4, light="#fff")
    told = {**msgspec.structs.asdict(link), "url": url, "token": text, "qr": code}
    return json_answer(Fresh(**told), 201, {**READ_HEADERS, "cache-control": "no-store"})


async def list_links(request: Request) -> Response:
    """Links to one's own channels that are good, without their tokens: as this process remembers them."""
    grant = _host(await manager(request), None)
    issued: Issued = request.app.state.links
    return json_answer(Links(issued.of(grant)), headers=READ_HEADERS)


async def revoke_link(
    request: Request, link_id: Annotated[str, Path(max_length=tokens.MAX_ID)]
) -> Response:
    """Revoke a link to one's own channels: it opens nothing any more, and what it has opened ends now."""
    grant = _host(await manager(request), None)
    issued: Issued = request.app.state.links
    link = issued.get(link_id)
    if link is None or not grant.covers(link.channel):
        raise ResourceNotFound("There is no such link to a channel of yours, or no more.")
    broker = operations_of(request).broker
    await broker.revoke(link.id, time.time() + tokens.LIFETIME + tokens.SKEW)
    return Response(status_code=204, headers=READ_HEADERS)


def _host(grant: Grant, path: str | None) -> Grant:
    if grant.role < Role.HOST or (path is not None and not grant.covers(path)):
        raise Unauthorized("Only a host of a channel makes links to it.")
    return grant


def _link(wanted: NewLink, path: str, claims: Claims) -> Link:
    return Link(
        id=claims.jti,
        role=wanted.role,
        channel=path,
        issued=claims.iat,
        ends=claims.exp,
        player=wanted.player,
        rate=wanted.rate,
        label=wanted.label,
    )


def _page(role: LinkRole, path: str, token: str) -> str:
    """What a link opens: the board alone for who only looks, a seat in a room for who plays there.

    Other roles are for programs and for pages that are not this server's: they find channel and token in the address.
    """
    if role == "viewer" and not channels.is_wildcard(path):
        return f"/embed{path}#key={token}"
    if role == "player" and channels.namespace(path) == GAME:
        return f"/r/{path.rpartition('/')[2]}#seat={token}"
    return f"/l#token={token}" if channels.is_wildcard(path) else f"/l{path}#token={token}"


def _decoded(body: bytes) -> NewLink:
    try:
        return msgspec.json.decode(body, type=NewLink)
    except (ValueError, RecursionError) as error:
        raise BadRequest(str(error)[:200]) from None
