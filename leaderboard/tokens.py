"""Signed tokens: a credential that says itself what it is good for (RFC 7519, JSON Web Token).

Whoever holds the server's ``secret`` writes one; the server keeps nothing of it and only checks the signature. So a
player's token is good after a reload, on another device and, where the secret is configured, after a restart.

Here is the form alone: signature, claims, times. What a token may do is for `auth` to say.
"""

from __future__ import annotations

import secrets
import time
from typing import Annotated, Literal

import jwt
import msgspec
from msgspec import Meta, Struct

from leaderboard.errors import BadRequest, Unauthorized

ALGORITHM = "HS256"
OURS = "leaderboard"
"""Issuer and audience: a token that something else signs with the same secret is none of ours."""
LIFETIME = 24 * 3600
"""Seconds that a token may live: whatever else is forgotten, a day ends it."""
MAX_TOKEN = 4096
"""Characters of a token: four times what the longest channel and player need."""
SKEW = 10
"""Seconds that the clock of whoever signs may be ahead of ours."""

MAX_ID = 64
MAX_MAKERS = 16
"""Tokens by which one was made, from the first to its own maker: a chain that is longer is a mistake."""
MAX_RATE = 1000
Id = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_\-]+\Z", max_length=MAX_ID)]
TokenRole = Literal["viewer", "player", "scorekeeper", "host", "admin"]


class Claims(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a token says, under RFC 7519's names where it has one; times in seconds since 1970."""

    jti: Id
    """Names the token: in logs, and where it is revoked."""
    iat: int
    """When it was issued."""
    exp: int
    """When it ends."""
    role: TokenRole
    channel: str
    """A channel, a wildcard over those below a path, or ``/*``."""
    sub: str | None = None
    """The player whose row it is good for."""
    rate: Annotated[int, Meta(ge=1, le=MAX_RATE)] | None = None
    """Publishes in any second, over all connections of its bearers."""
    makers: Annotated[tuple[Id, ...], Meta(max_length=MAX_MAKERS)] = ()
    """The tokens that it goes back to: it is good for nothing any more when one of them is revoked. It says so itself,
    so that every process knows, and one that starts later too."""


def new_claims(
    role: TokenRole,
    channel: str,
    player: str | None,
    lifetime: float,
    rate: int | None = None,
    makers: tuple[str, ...] = (),
) -> Claims:
    """The claims of a token that is issued now, for ``lifetime`` seconds; raises `BadRequest`."""
    if not 1 <= lifetime <= LIFETIME:
        raise BadRequest(f"it is to live 1 s to {LIFETIME // 3600} h")
    if rate is not None and not 1 <= rate <= MAX_RATE:
        raise BadRequest(f"its rate is 1 to {MAX_RATE} publishes in a second")
    if len(makers) > MAX_MAKERS:
        raise BadRequest(
            f"it would be made by a token that was made by one, {MAX_MAKERS} times over"
        )
    now = int(time.time())
    name = secrets.token_hex(12)  # never begins with "-": a command would take it for an option
    return Claims(
        jti=name,
        iat=now,
        exp=now + int(lifetime),
        role=role,
        channel=channel,
        sub=player,
        rate=rate,
        makers=makers,
    )


def sign(said: Claims, secret: str) -> str:
    """The token that says so."""
    payload = {"iss": OURS, "aud": OURS, **msgspec.to_builtins(said)}
    return jwt.encode(payload, secret, ALGORITHM)


def verify(token: str, secret: str) -> Claims:
    """What a token says; raises `Unauthorized`. Why is told only where the signature is ours."""
    try:
        payload = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],  # never what the token itself names: RFC 8725, 3.1
            issuer=OURS,
            audience=OURS,
            options={
                "require": ["iss", "aud", "exp", "iat", "jti"],
                "strict_aud": True,
                "verify_iat": False,  # below, with some leeway, of which a token's end has none
                "enforce_minimum_key_length": True,
            },
        )
        said = msgspec.convert(payload, Claims)
    except jwt.ExpiredSignatureError:
        raise Unauthorized("This token has expired.") from None
    except (jwt.PyJWTError, ValueError):  # a lone surrogate, and msgspec's errors, are ValueErrors
        raise Unauthorized from None
    if said.iat > time.time() + SKEW:
        raise Unauthorized("This token is of the future: the clock of its issuer is wrong.")
    if said.exp - said.iat > LIFETIME:
        raise Unauthorized(f"This token would live longer than {LIFETIME // 3600} h.")
    return said
