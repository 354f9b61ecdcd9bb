"""Tokens of an OpenID provider: whose signature, for whom, until when (OpenID Connect Core, 3.1.3.7; RFC 8725).

Its keys come from its discovery document, or from the address that is configured, and from nowhere else: what a token
says of keys (``jku``, ``x5u``, ``jwk``) is not even looked at. They are remembered. A token that names an unknown key
may be the first after a rotation, so the keys are asked for anew; but at most once in `PAUSE`, whatever strangers send,
and all who wait share one answer.

Here is the proof alone. What its claims are worth is for `vouching` to say.
"""

from __future__ import annotations

import asyncio
import binascii
import logging
import math
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jwt
import msgspec
from jwt.exceptions import InvalidKeyError

from leaderboard.errors import AuthUnavailable, Refusal, Unauthorized
from leaderboard.settings import ConfigError, Oidc
from leaderboard.tokens import LIFETIME

log = logging.getLogger(__name__)

MAX_TOKEN = 8192
"""Characters of a token: with groups and permissions in it some are long, and headers of requests end there."""
MAX_DOCUMENT = 256 * 1024
"""Bytes of a document of the provider; the largest providers have some ten keys of 2 KB."""
MAX_KEYS = 32
"""Keys that are looked at."""
PATIENCE = 5.0
"""Seconds that both documents may take together."""
PAUSE = 10.0
"""Seconds between two times that the keys are asked for."""
STALE = 86_400.0
"""Seconds that keys are still good for when the provider cannot be reached: a day ends every token too."""

_FAMILIES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""What a key has to be for an algorithm to be its."""

Claims = Mapping[str, Any]
Done = Callable[[Claims | Refusal], None]


class _Header(msgspec.Struct):
    alg: str
    kid: str | None = None


class _Issuer(msgspec.Struct):
    iss: str


class Provider:
    """An OpenID provider, as its tokens are checked against it. Raises `ConfigError` without the extra ``oidc``."""

    def __init__(self, rules: Oidc) -> None:
        try:
            import cryptography  # noqa: F401
            import httpx  # noqa: F401
        except ImportError:
            raise ConfigError(
                'oidc.issuer: this needs more packages: pip install "live-leaderboard[oidc]"'
            ) from None
        self._rules = rules
        self._keys: Sequence[jwt.PyJWK] = ()
        self._fetched = self._tried = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    def issued(self, token: str) -> bool:
        """Whether a token says that it is this provider's. It proves nothing."""
        return issuer_of(token) == self._rules.issuer

    def verify(self, token: str, done: Done) -> None:
        """What a token says; ``done`` runs once, at once if its key is known, with a `Refusal` if it proves nothing."""
        try:
            header = _decoded(token, 0, _Header)
            if header is None or header.alg not in self._rules.algorithms:
                raise Unauthorized
            now = time.monotonic()
            found = self._fitting(header) if now - self._fetched < self._rules.keys_ttl else []
            if not found and (self._fetching is not None or now - self._tried >= PAUSE):
                self._fetch().add_done_callback(lambda _: done(self._checked(token, header)))
                return
        except Refusal as refusal:
            done(refusal)
            return
        done(self._checked(token, header))

    async def stop(self) -> None:
        """Let go of what is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _checked(self, token: str, header: _Header) -> Claims | Refusal:
        try:
            if time.monotonic() - self._fetched >= max(STALE, self._rules.keys_ttl):
                return AuthUnavailable()
            return self._claims(token, header)
        except Refusal as refusal:
            return refusal

    def _fitting(self, header: _Header) -> list[jwt.PyJWK]:
        family = _FAMILIES[header.alg[:2]]
        return [
            key
            for key in self._keys
            if key.key_type == family
            and key._jwk_data.get("alg", header.alg) == header.alg
            and header.kid in (None, key.key_id)
        ]

    def _claims(self, token: str, header: _Header) -> Claims:
        fault: Exception | None = None
        for key in self._fitting(header):
            try:
                claims = jwt.decode(
                    token,
                    key.key,
                    algorithms=[header.alg],  # one of ours: `verify` has seen to it
                    issuer=self._rules.issuer,
                    leeway=self._rules.clock_skew,
                    options={
                        "require": ["iss", "exp", "iat"],
                        "verify_aud": False,  # below: user pools put it elsewhere
                        "enforce_minimum_key_length": True,
                    },
                )
            except jwt.ExpiredSignatureError:
                raise Unauthorized("This token has expired.") from None
            except (
                jwt.PyJWTError,
                ValueError,
                TypeError,
                ArithmeticError,
                RecursionError,
            ) as error:
                fault = error
            else:
                self._meant_for_us(claims)
                return claims
        if fault is not None:
            log.info("a token of %s was refused: %s", self._rules.issuer, type(fault).__name__)
        raise Unauthorized

    def _meant_for_us(self, claims: Claims) -> None:
        meant = claims.get("aud", claims.get("client_id"))
        audiences = meant if isinstance(meant, list) else [meant]
        if not any(isinstance(each, str) and each in self._rules.audiences for each in audiences):
            raise Unauthorized
        times = (claims["iat"], claims["exp"])
        if not all(type(each) in (int, float) and math.isfinite(each) for each in times):
            raise Unauthorized

    # -- its keys -----------------------------------------------------------------------------------------------------

    def _fetch(self) -> asyncio.Task[None]:
        """Ask for the keys, or join those who wait for them."""
        if self._fetching is None:
            self._tried = time.monotonic()
            self._fetching = asyncio.create_task(self._renew(), name="keys of an OpenID provider")
            self._fetching.add_done_callback(self._ended)
        return self._fetching

    def _ended(self, _: object) -> None:
        self._fetching = None

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                self._keys = _keys(await self._documents())
            self._fetched = time.monotonic()
        except Exception as error:
            # Those of before stay. The text is of a library or of ours, and has no word of a token.
            why = str(error) or type(error).__name__
            log.warning("the keys of %s could not be had: %s", self._rules.issuer, why)

    async def _documents(self) -> object:
        import httpx

        # No redirects: the configured issuer says where its keys are, and nobody else.
        async with httpx.AsyncClient(follow_redirects=False, timeout=PATIENCE) as client:
            uri = self._rules.jwks_uri
            if not uri:
                base = self._rules.issuer.rstrip("/")
                document = await _json(client, f"{base}/.well-known/openid-configuration")
                if not isinstance(document, dict) or document.get("issuer") != self._rules.issuer:
                    raise ValueError("its discovery document names another issuer")
                uri = str(document.get("jwks_uri"))
                # The same rule as for an address that is configured.
                Oidc(issuer=self._rules.issuer, jwks_uri=uri, audiences=self._rules.audiences)
            return await _json(client, uri)


async def _json(client: Any, uri: str) -> object:
    body = bytearray()
    async with client.stream("GET", uri, headers={"accept": "application/json"}) as answer:
        if answer.status_code != 200:
            raise ValueError(f"{uri} answered {answer.status_code}")
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > MAX_DOCUMENT:
                raise ValueError(f"{uri} has more than {MAX_DOCUMENT} bytes")
    return msgspec.json.decode(body)


def _keys(document: object) -> list[jwt.PyJWK]:
    """The keys of a set that sign. One that cannot be read is passed over, as RFC 7517, 5, says."""
    described = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(described, list):
        raise ValueError("its keys are no JSON Web Key Set")
    keys = []
    for each in described[:MAX_KEYS]:
        # A secret is none: "oct" would make a signature of it something that anybody can write.
        if not isinstance(each, dict) or each.get("kty") not in _FAMILIES.values():
            continue
        if each.get("use", "sig") != "sig":
            continue
        try:
            keys.append(jwt.PyJWK.from_dict(each))
        except (jwt.PyJWTError, InvalidKeyError, ValueError, TypeError, KeyError):
            log.info("a key of the provider cannot be read")
    return keys


def issuer_of(token: str) -> str | None:
    """Who a token says has issued it; None if it is none. It proves nothing."""
    said = _decoded(token, 1, _Issuer)
    return None if said is None else said.iss


def _decoded(token: str, part: int, kind: type[Any]) -> Any:
    """A part of a token, as far as it has what is asked for."""
    parts = token.split(".", 3)
    if len(parts) != 3 or len(token) > MAX_TOKEN:
        return None
    try:
        text = urlsafe_b64decode(parts[part] + "=" * (-len(parts[part]) % 4))
        return msgspec.json.decode(text, type=kind)
    except (binascii.Error, ValueError, RecursionError):
        return None


def ends(claims: Claims, skew: float) -> float:
    """When what a token has opened ends, in seconds since 1970: a day after its issue at the latest."""
    return float(min(claims["exp"], claims["iat"] + LIFETIME)) + skew


def claim(claims: Claims, path: str) -> object:
    """A claim by its name, or by the names that lead to it, with dots between; None if there is none."""
    if path in claims:
        return claims[path]
    found: object = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
