"""An OpenID provider that is not ours: the certified `oidc-provider` package from npm, in a process of its own.

The test makes its keys, so that it can sign what no provider would: with the right key, and wrong.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.needs import missing, needs

PROGRAM = Path(__file__).parent / "interop" / "provider.js"
AUDIENCE = "https://scores.example"
PATIENCE = 20.0

_names = itertools.count(1)


@dataclass
class Keys:
    """The keys that a provider has until its next rotation, one for each algorithm."""

    rsa: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    ec: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    kid: str = field(default_factory=lambda: f"key-{next(_names)}")

    def described(self) -> dict[str, Any]:
        """As a private JSON Web Key Set."""
        of_rsa = RSAAlgorithm.to_jwk(self.rsa, as_dict=True)
        of_ec = ECAlgorithm.to_jwk(self.ec, as_dict=True)
        named = {"kid": self.kid, "use": "sig"}
        return {
            "keys": [
                {**of_rsa, **named, "alg": "RS256"},
                {**of_ec, **named, "kid": f"{self.kid}-ec", "alg": "ES256"},
            ]
        }


@dataclass
class Provider:
    """A running provider."""

    _process: Process
    issuer: str = ""
    keys: Keys = field(default_factory=Keys)

    async def rotate(self, keys: Keys | None = None) -> None:
        """Give it other keys: what the old ones have signed is good nowhere any more."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.keys = keys or Keys()
        self._process.stdin.write(json.dumps(self.keys.described()).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            self.issuer = json.loads(await self._process.stdout.readline())["issuer"]

    async def token(self, client: str, audience: str = AUDIENCE) -> str:
        """The token that a client gets."""
        asked = {"grant_type": "client_credentials", "resource": audience, "scope": "score"}
        async with httpx.AsyncClient(base_url=self.issuer, auth=(client, "secret")) as http:
            answer = await http.post("/token", data=asked)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def fetches(self) -> int:
        """How often its keys were asked for."""
        async with httpx.AsyncClient(base_url=self.issuer) as http:
            return int((await http.get("/fetches")).text)

    def said(self, **changes: Any) -> dict[str, Any]:
        """The claims of an umpire's token; a claim that is None is left out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "umpire",
            "jti": f"t-{next(_names)}",
            "iat": now,
            "exp": now + 600,
            "cognito:groups": ["umpires"],
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def signed(self, keys: Keys | None = None, **changes: Any) -> str:
        """A token with its own key, or with another's by the same name."""
        by = (keys or self.keys).rsa
        return jwt.encode(self.said(**changes), by, "RS256", headers={"kid": self.keys.kid})


@asynccontextmanager
async def providing() -> AsyncIterator[Provider]:
    """A provider that runs until the block ends."""
    node = needs("node")
    if not (needs("node_modules") / "oidc-provider").is_dir():
        missing("the npm package oidc-provider is not installed")
    process = await asyncio.create_subprocess_exec(
        *(node, PROGRAM), stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        provider = Provider(process)
        await provider.rotate()
        yield provider
    finally:
        process.kill()
        await process.wait()
