"""Who may do what: credentials become grants, grants are asked.

A credential is an API key (``x-api-key``) or a signed token of ours (``Authorization``, with ``Bearer`` or without). It
travels in one of two carriers, and means the same in both: the JSON object inside the ``header-`` sub-protocol or a
message's ``authorization`` (browsers, amplify-js), or plain headers of the request (the Android and Swift SDKs, HTTP).
A verified one is a `Grant`. A grant is evaluated for each operation: that of the connection opens the connection and
nothing else (AppSync Events guide, "WebSocket protocol", authorization).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from leaderboard import channels, tokens
from leaderboard.errors import BadRequest, NotAllowed, Unauthorized
from leaderboard.events import Event, Remove, Score
from leaderboard.settings import AuthMode, ConfigError, Namespace, Settings
from leaderboard.tokens import Claims, TokenRole

PROTOCOL = "aws-appsync-event-ws"
"""The sub-protocol that every AppSync Events client offers and the server selects."""
HEADER_PROTOCOL = "header-"
"""Prefix of the sub-protocol that carries credentials."""
REMEMBERED = 10_000
"""Verified tokens that are remembered: one for each connection that a server takes unless told otherwise."""


class Role(IntEnum):
    """What a credential may do, each including those before it."""

    VIEWER = 1
    """Subscribe, and read over HTTP."""
    PLAYER = 2
    """Publish and remove its own row on its one channel."""
    SCOREKEEPER = 3
    """Publish: any row of a board, any event of a relay channel."""
    HOST = 4
    """Take rows off a board and control it."""
    ADMIN = 5
    """Everything."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A verified credential: role, channel patterns, the auth mode it came by, and an id that is safe to log.

    A token counts as an API key: what accepts keys accepts it. It alone may have a ``player``, and ``ends``, in seconds
    since 1970.
    """

    id: str
    role: Role
    channels: tuple[str, ...]
    mode: AuthMode = "API_KEY"
    player: str | None = None
    ends: float | None = None

    def covers(self, path: str) -> bool:
        """Whether the grant covers a channel, or the whole of a wildcard."""
        return any(channels.covers(pattern, path) for pattern in self.channels)


class Authenticator:
    """Verifies credentials against the configured keys and the secret.

    Keys are held and looked up as digests: how long a look-up takes depends on a hash that nobody can steer, never on
    how much of a key was right. Tokens that were verified are too, since checking a signature costs several publishes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret = settings.secret.get_secret_value() or secrets.token_urlsafe(32)
        cut = settings.tokens_not_before
        self._not_before = 0.0 if cut is None else cut.timestamp()
        self._keys: dict[bytes, Grant] = {}
        self._verified: OrderedDict[bytes, Grant] = OrderedDict()
        self._revoked: dict[str, float] = {}
        """Ids of tokens that are not good any more, and when those end anyway."""
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

        Member names are compared without case; values that are no strings are passed over. Of several credentials the
        first that is good counts.
        """
        refusal = Unauthorized()
        for name, value in (credentials or {}).items():
            carrier = name.lower()
            if carrier not in ("x-api-key", "authorization") or not isinstance(value, str):
                continue
            try:
                return self._by_key(value) if carrier == "x-api-key" else self._by_token(value)
            except Unauthorized as error:
                refusal = error
        raise refusal

    def _by_key(self, key: str) -> Grant:
        grant = self._keys.get(_digest(key))
        if grant is None:
            raise Unauthorized
        return grant

    def _by_token(self, value: str) -> Grant:
        if self._settings.emulate:
            raise Unauthorized  # AWS has not heard of tokens of ours
        scheme, _, rest = value.partition(" ")
        token = rest if scheme.lower() == "bearer" else value
        if len(token) > tokens.MAX_TOKEN:
            raise Unauthorized
        digest = _digest(token)
        grant = self._verified.pop(digest, None)
        if grant is None:
            claims = tokens.verify(token, self._secret)
            try:
                grant = self._grant(claims)
            except BadRequest as error:
                raise Unauthorized(f"This token is not taken: {error.message}.") from None
        ended = self.ended(grant)
        if ended is not None:
            raise ended
        self._verified[digest] = grant  # the last used stands last
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return grant

    def ended(self, grant: Grant) -> Unauthorized | None:
        """Why a grant does not hold any more; None while it does. For whoever remembers one, to ask at each use."""
        if grant.ends is None:
            return None
        if grant.id in self._revoked:
            return Unauthorized("This token was revoked.")
        return Unauthorized("This token has expired.") if grant.ends <= time.time() else None

    def issue(
        self, role: TokenRole, channel: str, player: str | None, lifetime: float
    ) -> tuple[str, Claims]:
        """A new token of this server, good for ``lifetime`` seconds, and what it says; raises `BadRequest`."""
        claims = tokens.new_claims(role, channel, player, lifetime)
        self._grant(claims)  # a token that nobody would take is not given out
        return tokens.sign(claims, self._secret), claims

    def revoke(self, token_id: str, until: float) -> None:
        """A token that would end by ``until`` is not good from now on."""
        now = time.time()
        self._revoked = {name: end for name, end in self._revoked.items() if end > now}
        self._revoked[token_id] = until

    def viewer(self) -> Grant | None:
        """The grant of the public viewer key, if public viewing is on."""
        return self._by_key(self._settings.viewer_key) if self._settings.viewer_key else None

    def _grant(self, claims: Claims) -> Grant:
        """What a token is good for; raises `BadRequest` for one that is not."""
        if claims.iat < self._not_before:
            raise BadRequest("it is older than the setting tokens_not_before allows")
        pattern = channels.parse_credential_pattern(claims.channel)
        role = Role[claims.role.upper()]
        if role is Role.PLAYER and channels.is_wildcard(pattern):
            raise BadRequest("a player's is for one channel, not for a wildcard")
        if role is Role.PLAYER and not claims.sub:
            raise BadRequest("a player's names the player")
        if role is not Role.PLAYER and claims.sub is not None:
            raise BadRequest("only a player's names a player")
        return Grant(claims.jti, role, (pattern,), player=claims.sub, ends=float(claims.exp))

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
        """Raises `Unauthorized` unless the grant may publish on a channel: a player has no row on a relay channel."""
        modes = rules.publish_auth_modes or self._settings.default_publish_auth_modes
        least = Role.PLAYER if rules.kind == "board" else Role.SCOREKEEPER
        if grant.role < least or grant.mode not in modes or not grant.covers(path):
            raise Unauthorized

    def may_revoke(self, grant: Grant) -> None:
        """Raises `NotAllowed` unless the grant may end tokens, of whatever channel."""
        if grant.role < Role.ADMIN or not grant.covers(channels.EVERYTHING):
            raise NotAllowed("only an admin of all channels may revoke a token")


def may_touch(grant: Grant, player: str) -> None:
    """Raises `NotAllowed`, the failure of one event, if the row is not that of the player whose token it is."""
    if grant.role is Role.PLAYER and player != grant.player:
        raise NotAllowed("a player may touch no other row than its own")


def may_apply(grant: Grant, event: Event) -> None:
    """Raises `NotAllowed`, the failure of one event, unless the grant may have it applied to a board."""
    if grant.role >= Role.HOST:
        return
    if not isinstance(event, Score | Remove):
        raise NotAllowed("only a host may control a board")
    may_touch(grant, event.player)
    if isinstance(event, Remove) and grant.role is not Role.PLAYER:
        raise NotAllowed("only a host may remove a player")


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
