"""Who may do what: credentials become grants, grants are asked.

A credential is an API key (``x-api-key``) or a token (``Authorization``, with ``Bearer`` or without): one of ours, one
of an OpenID provider (`oidc`), or whatever a custom `authorizer` takes, tried in this order. It travels in one of two
carriers, and means the same in both: the JSON object inside the ``header-`` sub-protocol or a message's
``authorization`` (browsers, amplify-js), or plain headers of the request (the Android and Swift SDKs, HTTP).
A verified one is a `Grant`. A grant is evaluated for each operation: that of the connection opens the connection and
nothing else (AppSync Events guide, "WebSocket protocol", authorization).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache, partial
from typing import Any

import msgspec

from leaderboard import channels, oidc, tokens
from leaderboard.authorizer import Answer, Authorizer, Operation
from leaderboard.errors import BadRequest, NotAllowed, Refusal, Unauthorized
from leaderboard.events import MAX_PLAYER, Event, Remove, Score
from leaderboard.names import is_printable_id
from leaderboard.oidc import Provider
from leaderboard.settings import OIDC_MODES, AuthMode, ConfigError, Namespace, Settings
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

    A token of ours counts as an API key: what accepts keys accepts it. Tokens alone may have a ``player``, and
    ``ends``, in seconds since 1970.
    """

    id: str
    role: Role
    channels: tuple[str, ...]
    mode: AuthMode = "API_KEY"
    player: str | None = None
    ends: float | None = None
    rate: int | None = None
    """Publishes in any second, of all who have it."""
    makers: tuple[str, ...] = ()
    """The ids of the tokens that it goes back to: it ends with the first of them."""
    until: float | None = None
    """When an authorizer has to be asked again, in seconds since 1970; what was opened by then stays open."""
    said: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The claims of an OpenID provider's token, or an authorizer's ``handlerContext``: for handlers."""

    @property
    def lasting(self) -> bool:
        """Whether it is a key, which neither ends nor can be revoked while the server runs."""
        return self.ends is None and self.mode == "API_KEY"

    @property
    def line(self) -> tuple[str, ...]:
        """The ``makers`` of a token that is made by it."""
        return () if self.lasting else (*self.makers, self.id)

    def covers(self, path: str) -> bool:
        """Whether the grant covers a channel, or the whole of a wildcard."""
        return any(channels.covers(pattern, path) for pattern in self.channels)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, beside a credential: the site of the page, if it is one; and, for an authorizer, the headers."""

    origin: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a credential is to be good for; ``channel`` is a normalised path, or ``/*``, or None to connect."""

    operation: Operation
    channel: str | None
    modes: frozenset[AuthMode]
    caller: Caller = Caller()


Done = Callable[[Grant | Refusal], None]


class Authenticator:
    """Verifies credentials against the configured keys and the secret, the OpenID provider and the authorizer.

    Keys are held and looked up as digests: how long a look-up takes depends on a hash that nobody can steer, never on
    how much of a key was right. Tokens that were verified are too, since checking a signature costs several publishes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret = settings.secret.get_secret_value() or secrets.token_urlsafe(32)
        cut = settings.tokens_not_before
        self._not_before = 0.0 if cut is None else cut.timestamp()
        self._provider = Provider(settings.oidc) if settings.oidc.issuer else None
        self._authorizer = (
            Authorizer(settings.authorizer, settings) if settings.authorizer is not None else None
        )
        self._keys: dict[bytes, Grant] = {}
        self._origins: dict[str, tuple[str, ...]] = {}
        """The sites whose pages may use a key that is bound to some, by its id."""
        self._answers: OrderedDict[bytes, tuple[Grant | Unauthorized, float]] = OrderedDict()
        """What the authorizer said, and until when that is good."""
        self._verified: OrderedDict[bytes, Grant] = OrderedDict()
        self._revoked: dict[str, float] = {}
        """Ids of tokens that are not good any more, and when those end anyway."""
        if settings.viewer_key:
            self._add("viewer_key", settings.viewer_key, Role.VIEWER, [channels.EVERYTHING])
        for index, key in enumerate(settings.api_keys):
            name = f"api_keys.{index}"
            self._add(name, key.key.get_secret_value(), Role[key.role.upper()], key.channels)
            if key.origins:
                self._origins[name] = key.origins
        self._oidc_channels = _patterns("oidc", settings.oidc.channels)

    def _add(self, name: str, key: str, role: Role, patterns: Iterable[str]) -> None:
        digest = _digest(key)
        if digest in self._keys:
            raise ConfigError(f"{name}: the same key is configured twice")
        self._keys[digest] = Grant(id=name, role=role, channels=_patterns(name, patterns))

    async def stop(self) -> None:
        """Let go of whoever is being asked: nobody waits for them any more."""
        if self._provider is not None:
            await self._provider.stop()
        if self._authorizer is not None:
            await self._authorizer.stop()

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who asks, of the headers of a request; kept as long as a connection, so no more than is needed."""
        return Caller(headers.get("origin"), dict(headers) if self._authorizer else {})

    def identify(
        self, credentials: Mapping[str, object] | None, wanted: Wanted, done: Done
    ) -> None:
        """The grant behind a credential. ``done`` runs once, with a refusal if there is none, and before this returns
        unless somebody else has to be asked: an OpenID provider for its keys, or an authorizer."""
        known: Grant | Refusal
        try:
            known = self.authenticate(credentials, wanted.caller.origin, wanted.modes)
        except Unauthorized as refusal:
            known = refusal
        value = None if isinstance(known, Grant) else _first_token(credentials)
        if value is None:
            done(known)
            return
        token = _bare(value)
        provider, authorizer = self._provider, self._authorizer
        if provider is not None and wanted.modes & OIDC_MODES and provider.issued(token):
            provider.verify(token, lambda claims: done(self._vouched(token, claims)))
        elif (
            authorizer is not None
            and "AWS_LAMBDA" in wanted.modes
            and oidc.issuer_of(token) != tokens.OURS
        ):
            self._ask(authorizer, value, wanted, done)
        else:
            done(known)

    def authenticate(
        self,
        credentials: Mapping[str, object] | None,
        origin: str | None = None,
        modes: frozenset[AuthMode] | None = None,
    ) -> Grant:
        """The grant behind a credential that is known here; raises `Unauthorized`.

        Member names are compared without case; values that are no strings are passed over. Of several credentials the
        first that is good counts, if it came by one of the ``modes``.
        """
        refusal = Unauthorized()
        for name, value in (credentials or {}).items():
            carrier = name.lower()
            if carrier not in ("x-api-key", "authorization") or not isinstance(value, str):
                continue
            try:
                grant = (
                    self._by_key(value, origin) if carrier == "x-api-key" else self._by_token(value)
                )
            except Unauthorized as error:
                refusal = error
            else:
                if modes is None or grant.mode in modes:
                    return grant
        raise refusal

    def _by_key(self, key: str, origin: str | None = None) -> Grant:
        grant = self._keys.get(_digest(key))
        if grant is None:
            raise Unauthorized
        # Programs send no origin, or whichever they like: this stops the pages of other sites and nothing else.
        allowed = self._origins.get(grant.id) if origin is not None else None
        if allowed is not None and origin is not None and not _is_one_of(origin, allowed):
            raise Unauthorized("This key is not for pages of this site.")
        return grant

    def _by_token(self, value: str) -> Grant:
        token = _bare(value)
        if len(token) > oidc.MAX_TOKEN:
            raise Unauthorized
        digest = _digest(token)
        grant = self._verified.pop(digest, None)
        if grant is None:
            # AWS, where it is emulated, has not heard of tokens of ours.
            if len(token) > tokens.MAX_TOKEN or self._settings.emulate:
                raise Unauthorized
            claims = tokens.verify(token, self._secret)
            try:
                grant = self._grant(claims)
            except BadRequest as error:
                raise Unauthorized(f"This token is not taken: {error.message}.") from None
        return self._remembered(digest, grant)

    def _remembered(self, digest: bytes, grant: Grant) -> Grant:
        ended = self.ended(grant)
        if ended is not None:
            raise ended
        self._verified[digest] = grant  # the last used stands last
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return grant

    def ended(self, grant: Grant) -> Unauthorized | None:
        """Why a grant does not hold any more; None while it does. For whoever remembers one, to ask at each use."""
        if grant.lasting:
            return None
        if self._revoked and self.is_revoked(grant.id, grant.makers):
            return Unauthorized("This token was revoked.")
        expired = grant.ends is not None and grant.ends <= time.time()
        return Unauthorized("This token has expired.") if expired else None

    def holds(self, grant: Grant) -> bool:
        """Whether a grant may be used again for what it was used for, without another look at its credential."""
        if grant.lasting:
            return True
        return (grant.until is None or grant.until > time.time()) and self.ended(grant) is None

    def issue(
        self,
        role: TokenRole,
        channel: str,
        player: str | None,
        lifetime: float,
        rate: int | None = None,
        maker: Grant | None = None,
    ) -> tuple[str, Claims]:
        """A new token of this server, good for ``lifetime`` seconds, and what it says; raises `BadRequest`.

        One that is made by a token is revoked with that ``maker``.
        """
        makers = () if maker is None else maker.line
        claims = tokens.new_claims(role, channel, player, lifetime, rate, makers)
        self._grant(claims)  # a token that nobody would take is not given out
        return tokens.sign(claims, self._secret), claims

    def revoke(self, token_id: str, until: float) -> None:
        """A token that would end by ``until`` is not good from now on."""
        now = time.time()
        self._revoked = {name: end for name, end in self._revoked.items() if end > now}
        self._revoked[token_id] = until

    def is_revoked(self, token_id: str, makers: Iterable[str]) -> bool:
        """Whether a token is not good any more, or one that it goes back to."""
        return token_id in self._revoked or any(maker in self._revoked for maker in makers)

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
        return Grant(
            claims.jti,
            role,
            (pattern,),
            player=claims.sub,
            ends=float(claims.exp),
            rate=claims.rate,
            makers=claims.makers,
        )

    # -- tokens of others ---------------------------------------------------------------------------------------------

    def _vouched(self, token: str, claims: oidc.Claims | Refusal) -> Grant | Refusal:
        """What a token is good for that a provider has signed, if it has."""
        if isinstance(claims, Refusal):
            return claims
        try:
            return self._remembered(_digest(token), self._of_provider(token, claims))
        except BadRequest as error:
            return Unauthorized(f"This token is not taken: {error.message}.")
        except Unauthorized as refusal:
            return refusal

    def _of_provider(self, token: str, claims: oidc.Claims) -> Grant:
        rules = self._settings.oidc
        if claims["iat"] < self._not_before:
            raise BadRequest("it is older than the setting tokens_not_before allows")
        worth = oidc.claim(claims, rules.role_claim) if rules.role_claim else None
        values = worth if isinstance(worth, list) else [worth]
        names = [
            rules.roles[each] for each in values if isinstance(each, str) and each in rules.roles
        ]
        role = max((Role[name.upper()] for name in names), default=None)
        if role is None:
            if rules.default_role == "none":
                raise BadRequest("who has it has no role here")
            role = Role[rules.default_role.upper()]
        named = oidc.claim(claims, rules.player_claim)
        name = claims.get("jti")
        return Grant(
            name if isinstance(name, str) and _is_id(name) else _name_of("oidc", token),
            role,
            self._oidc_channels,
            mode="OPENID_CONNECT",
            player=_player(named) if role is Role.PLAYER else None,
            ends=oidc.ends(claims, rules.clock_skew),
            said=claims,
        )

    def _ask(self, authorizer: Authorizer, value: str, wanted: Wanted, done: Done) -> None:
        """Ask the authorizer, unless what it said about the same is still good."""
        if not 0 < len(value) <= oidc.MAX_TOKEN:
            done(Unauthorized())
            return
        digest = _digest("\n".join((wanted.operation, wanted.channel or "", value)))
        said = self._answers.pop(digest, None)
        if said is not None and said[1] > time.time():
            self._answers[digest] = said
            done(self._still(said[0]))
            return
        answered = partial(self._answered, digest, value, wanted, done)
        authorizer.ask(value, wanted.operation, wanted.channel, wanted.caller.headers, answered)

    def _answered(
        self, digest: bytes, value: str, wanted: Wanted, done: Done, answer: Answer | Refusal
    ) -> None:
        if isinstance(answer, Refusal):
            done(answer)
            return
        until = time.time() + answer.ttl
        said: Grant | Unauthorized
        try:
            said = self._authorized(value, wanted, answer, until)
        except Unauthorized as refusal:
            said = refusal
        if answer.ttl:
            self._answers[digest] = (said, until)
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        done(self._still(said))

    def _authorized(self, value: str, wanted: Wanted, answer: Answer, until: float) -> Grant:
        if not answer.authorized:
            raise Unauthorized
        role = Role[answer.context.role.upper()]
        try:
            player = _player(answer.context.player) if role is Role.PLAYER else None
        except BadRequest as error:
            raise Unauthorized(f"This token is not taken: {error.message}.") from None
        return Grant(
            _name_of("lambda", value),
            role,
            () if wanted.channel is None else (wanted.channel,),
            mode="AWS_LAMBDA",
            player=player,
            until=until,
            said=answer.said,
        )

    def _still(self, said: Grant | Unauthorized) -> Grant | Refusal:
        return said if isinstance(said, Unauthorized) else self.ended(said) or said

    # -- what a grant is good for -------------------------------------------------------------------------------------

    def to_connect(self, caller: Caller) -> Wanted:
        """What a credential has to be good for to open a connection."""
        modes = _alike(self._settings.connection_auth_modes)
        return Wanted("EVENT_CONNECT", None, modes, caller)

    def to_subscribe(self, path: str, rules: Namespace | None, caller: Caller) -> Wanted:
        """What a credential has to be good for to see a channel. Without rules, of any namespace."""
        modes = (
            rules and rules.subscribe_auth_modes
        ) or self._settings.default_subscribe_auth_modes
        return Wanted("EVENT_SUBSCRIBE", path, _alike(modes), caller)

    def to_publish(self, path: str, rules: Namespace | None, caller: Caller) -> Wanted:
        """What a credential has to be good for to publish on a channel. Without rules, of any namespace."""
        modes = (rules and rules.publish_auth_modes) or self._settings.default_publish_auth_modes
        return Wanted("EVENT_PUBLISH", path, _alike(modes), caller)

    def may_connect(self, grant: Grant) -> None:
        """Raises `Unauthorized` unless the grant may open a connection."""
        if grant.mode not in _alike(self._settings.connection_auth_modes):
            raise Unauthorized

    def may_subscribe(self, grant: Grant, path: str, rules: Namespace) -> None:
        """Raises `Unauthorized` unless the grant may see a channel, or all that a wildcard stands for."""
        modes = rules.subscribe_auth_modes or self._settings.default_subscribe_auth_modes
        if grant.mode not in _alike(modes) or not grant.covers(path):
            raise Unauthorized

    def may_publish(self, grant: Grant, path: str, rules: Namespace) -> None:
        """Raises `Unauthorized` unless the grant may publish on a channel: a player has no row on a relay channel."""
        modes = rules.publish_auth_modes or self._settings.default_publish_auth_modes
        least = Role.PLAYER if rules.kind == "board" else Role.SCOREKEEPER
        if grant.role < least or grant.mode not in _alike(modes) or not grant.covers(path):
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


_is_id = re.compile(rf"[A-Za-z0-9_\-]{{1,{tokens.MAX_ID}}}").fullmatch


@lru_cache(maxsize=256)
def _alike(modes: tuple[AuthMode, ...]) -> frozenset[AuthMode]:
    """These modes, and those that are the same by another name."""
    named = frozenset(modes)
    return named | OIDC_MODES if named & OIDC_MODES else named


def _patterns(name: str, patterns: Iterable[str]) -> tuple[str, ...]:
    try:
        return tuple(channels.parse_credential_pattern(pattern) for pattern in patterns)
    except BadRequest as error:
        raise ConfigError(f"{name}.channels: {error.message}") from None


def _first_token(credentials: Mapping[str, object] | None) -> str | None:
    """The one that others are asked about: a client must not have a function called for each spelling of a name."""
    for name, value in (credentials or {}).items():
        if name.lower() == "authorization" and isinstance(value, str):
            return value
    return None


def _bare(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    return rest if scheme.lower() == "bearer" else value


def _player(named: object) -> str:
    if (
        not isinstance(named, str)
        or not 1 <= len(named) <= MAX_PLAYER
        or not is_printable_id(named)
    ):
        raise BadRequest("a player's names the player")
    return named


def _name_of(kind: str, token: str) -> str:
    """A name for a token that has none, safe to log: nobody gets from it to the token."""
    return f"{kind}-{_digest(token).hex()[:24]}"


def _is_one_of(origin: str, allowed: Iterable[str]) -> bool:
    """Whether an origin is listed, or is below a listed ``https://*.example``."""
    scheme, _, host = origin.lower().partition("://")
    for each in allowed:
        needed, _, pattern = each.partition("://")
        below = pattern.startswith("*.") and host.endswith(pattern[1:]) and host != pattern[1:]
        if scheme == needed and (host == pattern or below):
            return True
    return False


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
