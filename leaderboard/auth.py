"""Whose credential it is: keys and tokens become grants.

A credential is an API key (``x-api-key``) or a token (``Authorization``, with ``Bearer`` or without): one of ours, or
one for which others vouch (`vouching`), tried in this order. How it travels is for `credentials` to say, what it is
good for is a `Grant` (`grants`), and what an operation asks of it is `access`.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from leaderboard import channels, oidc, tokens
from leaderboard.access import Access, Wanted
from leaderboard.credentials import bare, digest, first_token
from leaderboard.errors import BadRequest, Refusal, Unauthorized
from leaderboard.grants import Grant, Role, configured_channels
from leaderboard.settings import AuthMode, ConfigError, Settings
from leaderboard.tokens import Claims, TokenRole
from leaderboard.vouching import Vouching

REMEMBERED = 10_000
"""Verified tokens that are remembered: one for each connection that a server takes unless told otherwise."""

TRIED = 4
"""Credentials of one operation that are looked at: one of each kind, and as many again, but no frame full of them."""

Done = Callable[[Grant | Refusal], None]


class Authenticator:
    """Verifies credentials against the configured keys and the secret, and asks those who vouch for others.

    Keys are held and looked up as digests: how long a look-up takes depends on a hash that nobody can steer, never on
    how much of a key was right. Tokens that were verified are too, since checking a signature costs several publishes.
    """

    def __init__(self, settings: Settings) -> None:
        self.access = Access(settings)
        self._settings = settings
        self._secret = settings.secret.get_secret_value() or secrets.token_urlsafe(32)
        cut = settings.tokens_not_before
        self._not_before = 0.0 if cut is None else cut.timestamp()
        self._others = Vouching(settings, self._not_before)
        self._keys: dict[bytes, Grant] = {}
        self._origins: dict[str, tuple[str, ...]] = {}
        """The sites whose pages may use a key that is bound to some, by its id."""
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

    def _add(self, name: str, key: str, role: Role, patterns: Iterable[str]) -> None:
        known = digest(key)
        if known in self._keys:
            raise ConfigError(f"{name}: the same key is configured twice")
        self._keys[known] = Grant(id=name, role=role, channels=configured_channels(name, patterns))

    async def stop(self) -> None:
        """Let go of whoever is being asked: nobody waits for them any more."""
        await self._others.stop()

    # -- whose it is ---------------------------------------------------------------------------------------------------

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
        value = None if isinstance(known, Grant) else first_token(credentials)
        if value is None or not self._others.ask(value, wanted, partial(self._told, value, done)):
            done(known)

    def _told(self, value: str, done: Done, found: Grant | Refusal) -> None:
        """What others vouch for counts unless it was revoked here; a signed token is remembered like one of ours."""
        if isinstance(found, Grant):
            try:
                if found.until is None:
                    self._remember(digest(bare(value)), found)
                else:
                    self._check(found)
            except Unauthorized as refusal:
                found = refusal
        done(found)

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
        refusal, tried = Unauthorized(), 0
        for name, value in (credentials or {}).items():
            carrier = name.lower()
            if carrier not in ("x-api-key", "authorization") or not isinstance(value, str):
                continue
            tried += 1
            if tried > TRIED:
                break
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

    def viewer(self) -> Grant | None:
        """The grant of the public viewer key, if public viewing is on."""
        return self._by_key(self._settings.viewer_key) if self._settings.viewer_key else None

    def _by_key(self, key: str, origin: str | None = None) -> Grant:
        grant = self._keys.get(digest(key))
        if grant is None:
            raise Unauthorized
        # Programs send no origin, or whichever they like: this stops the pages of other sites and nothing else.
        allowed = self._origins.get(grant.id) if origin is not None else None
        if allowed is not None and origin is not None and not _is_one_of(origin, allowed):
            raise Unauthorized("This key is not for pages of this site.")
        return grant

    def _by_token(self, value: str) -> Grant:
        token = bare(value)
        if len(token) > oidc.MAX_TOKEN:
            raise Unauthorized
        known = digest(token)
        grant = self._verified.pop(known, None)
        if grant is None:
            # AWS, where it is emulated, has not heard of tokens of ours.
            if len(token) > tokens.MAX_TOKEN or self._settings.emulate:
                raise Unauthorized
            claims = tokens.verify(token, self._secret)
            try:
                grant = self._grant(claims)
            except BadRequest as error:
                raise Unauthorized(f"This token is not taken: {error.message}.") from None
        self._remember(known, grant)
        return grant

    def _remember(self, token: bytes, grant: Grant) -> None:
        self._check(grant)
        self._verified[token] = grant  # the last used stands last
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)

    def _check(self, grant: Grant) -> None:
        ended = self.ended(grant)
        if ended is not None:
            raise ended

    # -- how long it holds ---------------------------------------------------------------------------------------------

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

    def revoke(self, token_id: str, until: float) -> None:
        """A token that would end by ``until`` is not good from now on."""
        now = time.time()
        self._revoked = {name: end for name, end in self._revoked.items() if end > now}
        self._revoked[token_id] = until

    def is_revoked(self, token_id: str, makers: Iterable[str]) -> bool:
        """Whether a token is not good any more, or one that it goes back to."""
        return token_id in self._revoked or any(maker in self._revoked for maker in makers)

    # -- tokens of ours ------------------------------------------------------------------------------------------------

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

        One that a ``maker`` has made lasts no longer than that, may do no more in a second, and is revoked with it.
        """
        makers: tuple[str, ...] = ()
        if maker is not None and not maker.lasting:
            makers = (*maker.makers, maker.id)
            if maker.ends is not None:
                lifetime = max(1, min(lifetime, maker.ends - time.time()))
            if maker.rate is not None:
                rate = min(maker.rate, rate or maker.rate)
        claims = tokens.new_claims(role, channel, player, lifetime, rate, makers)
        self._grant(claims)  # a token that nobody would take is not given out
        return tokens.sign(claims, self._secret), claims

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


def _is_one_of(origin: str, allowed: Iterable[str]) -> bool:
    """Whether an origin is listed, or is below a listed ``https://*.example``."""
    scheme, _, host = origin.lower().partition("://")
    for each in allowed:
        needed, _, pattern = each.partition("://")
        below = pattern.startswith("*.") and host.endswith(pattern[1:]) and host != pattern[1:]
        if scheme == needed and (host == pattern or below):
            return True
    return False
