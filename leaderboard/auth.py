"""Who may do what: credentials become grants, grants are asked.

A credential travels in one of two carriers, and means the same in both: the JSON object inside the ``header-``
sub-protocol or a message's ``authorization`` (browsers, amplify-js), or plain headers of the request (the Android and
Swift SDKs, HTTP). A verified one is a `Grant`. A grant is evaluated for each operation: that of the connection opens
the connection and nothing else (AppSync Events guide, "WebSocket protocol", authorization).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from leaderboard import channels
from leaderboard.errors import BadRequest, NotAllowed, Unauthorized
from leaderboard.settings import AuthMode, ConfigError, Namespace, Settings

PROTOCOL = "aws-appsync-event-ws"
"""The sub-protocol that every AppSync Events client offers and the server selects."""
HEADER_PROTOCOL = "header-"
"""Prefix of the sub-protocol that carries credentials."""


class Role(IntEnum):
    """What a credential may do, each including those before it."""

    VIEWER = 1
    """Subscribe, and read over HTTP."""
    SCOREKEEPER = 3
    """Publish: any row of a board, any event of a relay channel."""
    HOST = 4
    """Take rows off a board and control it."""
    ADMIN = 5
    """Everything."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A verified credential: role, channel patterns, the auth mode it came by, and an id that is safe to log."""

    id: str
    role: Role
    channels: tuple[str, ...]
    mode: AuthMode = "API_KEY"

    def covers(self, path: str) -> bool:
        """Whether the grant covers a channel, or the whole of a wildcard."""
        return any(channels.covers(pattern, path) for pattern in self.channels)


class Authenticator:
    """Verifies credentials against the configured keys.

    Keys are held and looked up as digests: how long a look-up takes depends on a hash that nobody can steer, never on
    how much of a key was right.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys: dict[bytes, Grant] = {}
        if settings.viewer_key:
            self._add("viewer_key", settings.viewer_key, Role.VIEWER, [channels.EVERYTHING])
        for index, key in enumerate(settings.api_keys):
            name = f"api_keys.{index}"
            self._add(name, key.key.get_secret_value(), Role[key.role.upper()], key.channels)

    def _add(self, name: str, key: str, role: Role, patterns: Iterable[str]) -> None:
        digest = _digest(key)
        if digest in self._keys:
            raise ConfigError(f"{name}: the same key is configured twice")
        try:
            covered = tuple(channels.parse_credential_pattern(pattern) for pattern in patterns)
        except BadRequest as error:
            raise ConfigError(f"{name}.channels: {error.message}") from None
        self._keys[digest] = Grant(id=name, role=role, channels=covered)

    def authenticate(self, credentials: Mapping[str, object] | None) -> Grant:
        """The grant behind a credential; raises `Unauthorized`.

        Member names are compared without case; values that are no strings are passed over.
        """
        for name, value in (credentials or {}).items():
            if name.lower() == "x-api-key" and isinstance(value, str):
                grant = self._by_key(value)
                if grant is not None:
                    return grant
        raise Unauthorized

    def _by_key(self, key: str) -> Grant | None:
        return self._keys.get(_digest(key))

    def viewer(self) -> Grant | None:
        """The grant of the public viewer key, if public viewing is on."""
        return self._by_key(self._settings.viewer_key) if self._settings.viewer_key else None

    def may_connect(self, grant: Grant) -> None:
        """Raises `Unauthorized` unless the grant may open a connection."""
        if grant.mode not in self._settings.connection_auth_modes:
            raise Unauthorized

    def may_subscribe(self, grant: Grant, path: str, rules: Namespace) -> None:
        """Raises `Unauthorized` unless the grant may see a channel, or all that a wildcard stands for."""
        modes = rules.subscribe_auth_modes or self._settings.default_subscribe_auth_modes
        if grant.mode not in modes or not grant.covers(path):
            raise Unauthorized

    def may_publish(self, grant: Grant, path: str, rules: Namespace) -> None:
        """Raises `Unauthorized` unless the grant may publish on a channel."""
        modes = rules.publish_auth_modes or self._settings.default_publish_auth_modes
        if grant.role < Role.SCOREKEEPER or grant.mode not in modes or not grant.covers(path):
            raise Unauthorized


def may_control(grant: Grant) -> None:
    """Raises `NotAllowed`, the failure of one event, unless the grant may remove a player or control a board."""
    if grant.role < Role.HOST:
        raise NotAllowed("only a host may remove a player or control a board")


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


def new_api_key() -> str:
    """A fresh API key in the form that AppSync gives them: ``da2-`` and 26 lower-case letters and digits."""
    return "da2-" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(26))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
