"""Links that carry a role: made by a host, shown as an address and as a QR code, listed, and taken back.

A link is an address with a signed token in its fragment, which no browser sends to any server. The token is told once,
to who makes it. What is kept of it, where boards are and until it ends, is what may be listed: its id and what it is
good for. So whichever process made it, every other lists and revokes it.
"""

from __future__ import annotations

import time
from operator import attrgetter
from typing import Annotated, Any, Literal
from urllib.parse import quote

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
    content,
    json_answer,
    manager,
    operations_of,
    value_of,
)
from leaderboard.auth import Authenticator
from leaderboard.broker import Broker
from leaderboard.errors import LimitExceeded, ResourceNotFound, Unauthorized
from leaderboard.events import PlayerId
from leaderboard.grants import Grant, Role
from leaderboard.rooms import GAME
from leaderboard.tokens import LIFETIME, MAX_RATE, Claims, TokenRole

MOST = 10_000
"""Links that are good at the same time: what is kept of each is some hundred bytes."""

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


class _Kept(Struct, frozen=True):
    """A link as the engine keeps it, when it was made, and the tokens that it goes back to."""

    link: Link
    made: float
    makers: tuple[str, ...] = ()


class Issued:
    """The links that are good, whichever process made them."""

    def __init__(self, broker: Broker, auth: Authenticator) -> None:
        self._broker = broker
        self._auth = auth

    async def add(self, link: Link, makers: tuple[str, ...]) -> None:
        """Keep a link; raises `LimitExceeded` where there are as many as may be."""
        text = msgspec.json.encode(_Kept(link, time.time(), makers)).decode()
        if not await self._broker.keep(link.id, text, link.ends, MOST):
            raise LimitExceeded(f"{MOST} links are good now, and no more may be. Revoke some.")

    async def of(self, grant: Grant) -> list[Link]:
        """Those that a grant may see, the newest first."""
        return [
            each.link
            for each in sorted(await self._all(), key=attrgetter("made"), reverse=True)
            if grant.covers(each.link.channel)
            and not self._auth.is_revoked(each.link.id, each.makers)
        ]

    async def revoke(self, link_id: str) -> None:
        """Revoke a link everywhere, and all that were made by it."""
        await self._broker.revoke(link_id, time.time() + tokens.LIFETIME + tokens.SKEW)
        for each in await self._all():
            if link_id == each.link.id or link_id in each.makers:
                await self._broker.keep(each.link.id, None, 0.0, MOST)

    async def _all(self) -> list[_Kept]:
        found = [msgspec.json.decode(text, type=_Kept) for text in await self._broker.kept()]
        now = time.time()
        return [each for each in found if each.link.ends > now]


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
    wanted = await value_of(request, NewLink)
    grant = await manager(request, channels.parse_credential_pattern(wanted.channel))
    made = await new_link(request, grant, wanted, base_url(request))
    return json_answer(made, 201, {**READ_HEADERS, "cache-control": "no-store"})


async def new_link(request: Request, grant: Grant, wanted: NewLink, base: str) -> Fresh:
    """A link as somebody wants it, to be opened at ``base``; raises why there can be none."""
    path = channels.parse_credential_pattern(wanted.channel)
    _host(grant, path)
    operations = operations_of(request)
    if path != channels.EVERYTHING:
        operations.broker.rules(path)  # a link to where nothing can ever be is a mistake
    text, claims = operations.auth.issue(
        ROLES[wanted.role], path, wanted.player, wanted.seconds, wanted.rate, grant
    )
    link = _link(wanted, path, claims)
    issued: Issued = request.app.state.links
    await issued.add(link, claims.makers)
    url = base + _page(wanted.role, path, wanted.player, text)
    # Read off a screen: little is lost, and larger squares count for more than their repair.
    code = segno.make(url, error="l", boost_error=False)
    qr = code.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, svgclass=None)
    return Fresh(**msgspec.structs.asdict(link), url=url, token=text, qr=qr)


async def list_links(request: Request) -> Response:
    """Links to one's own channels that are good, without their tokens."""
    grant = _host(await manager(request), None)
    issued: Issued = request.app.state.links
    return json_answer(Links(await issued.of(grant)), headers=READ_HEADERS)


async def revoke_link(
    request: Request, link_id: Annotated[str, Path(max_length=tokens.MAX_ID)]
) -> Response:
    """Revoke a link to one's own channels: it opens nothing any more, and what it has opened ends now."""
    await end_link(request, _host(await manager(request), None), link_id)
    return Response(status_code=204, headers=READ_HEADERS)


async def end_link(request: Request, grant: Grant, link_id: str) -> None:
    """Revoke a link that a grant may see; raises `ResourceNotFound` for any other."""
    issued: Issued = request.app.state.links
    if all(link.id != link_id for link in await issued.of(grant)):
        raise ResourceNotFound("There is no such link to a channel of yours, or no more.")
    await issued.revoke(link_id)


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


def _page(role: LinkRole, path: str, player: str | None, token: str) -> str:
    """What a link opens: a page that does what the role is for, and takes the token out of the address."""
    code = path.rpartition("/")[2]
    in_room = channels.namespace(path) == GAME and not channels.is_wildcard(path)
    if role == "game-server":
        return f"/credential#token={token}"
    if role == "presenter" and in_room:
        return f"/r/{code}/present#token={token}"
    if role == "player" and in_room:
        return f"/r/{code}#seat={token}&name={quote(player or '', safe='')}"
    return f"/l#token={token}" if channels.is_wildcard(path) else f"/l{path}#token={token}"
