"""Credentials as they travel, before anybody has verified them.

They come in one of two carriers, and mean the same in both: the JSON object inside the ``header-`` sub-protocol or a
message's ``authorization`` (browsers, amplify-js), or plain headers of the request (the Android and Swift SDKs, HTTP).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterable, Mapping

import msgspec

from leaderboard.errors import BadRequest

PROTOCOL = "aws-appsync-event-ws"
"""The sub-protocol that every AppSync Events client offers and the server selects."""
HEADER_PROTOCOL = "header-"
"""Prefix of the sub-protocol that carries credentials."""


def credentials_of_upgrade(
    protocols: Iterable[str], headers: Mapping[str, str]
) -> Mapping[str, str]:
    """The credentials of a WebSocket upgrade: of the ``header-`` sub-protocol, else of the request's own headers.

    Raises `BadRequest` if the sub-protocol holds no JSON object. Decoding is lenient, as clients are: padding may be
    there or not, the shell example of AWS leaves a newline at the end, and values that are no strings are passed over.
    """
    for protocol in protocols:
        if protocol.startswith(HEADER_PROTOCOL):
            return _decode_header(protocol[len(HEADER_PROTOCOL) :])
    return headers


def _decode_header(encoded: str) -> dict[str, str]:
    try:
        text = base64.b64decode(
            encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4),
            altchars=b"-_",
            validate=True,
        )
        members = msgspec.json.decode(text, type=dict[str, object])
    except (binascii.Error, ValueError, RecursionError):
        raise BadRequest("the header- sub-protocol is not the base64url of a JSON object") from None
    return {name: value for name, value in members.items() if isinstance(value, str)}


def first_token(credentials: Mapping[str, object] | None) -> str | None:
    """The one that others are asked about: a client must not have a function called for each spelling of a name."""
    for name, value in (credentials or {}).items():
        if name.lower() == "authorization" and isinstance(value, str):
            return value
    return None


def bare(value: str) -> str:
    """A token without the word ``Bearer`` that may stand before it."""
    scheme, _, rest = value.partition(" ")
    return rest if scheme.lower() == "bearer" else value


def digest(credential: str) -> bytes:
    """What stands for a credential where it is remembered."""
    return hashlib.sha256(credential.encode("utf-8", "surrogatepass")).digest()


def new_api_key() -> str:
    """A fresh API key in the form that AppSync gives them: ``da2-`` and 26 lower-case letters and digits."""
    return "da2-" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(26))
