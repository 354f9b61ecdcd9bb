"""Tokens for which others vouch: an OpenID provider (`oidc`) by its signature, a custom `authorizer` by its word.

Here it is decided who is asked about a token, and what the answer is worth on this server.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from leaderboard import oidc, tokens
from leaderboard.access import Wanted
from leaderboard.authorizer import Answer, Authorizer
from leaderboard.credentials import bare, digest
from leaderboard.errors import BadRequest, Refusal, Unauthorized
from leaderboard.events import MAX_PLAYER
from leaderboard.grants import Grant, Role, configured_channels
from leaderboard.names import is_printable_id
from leaderboard.oidc import Provider
from leaderboard.settings import OIDC_MODES, Settings

REMEMBERED = 10_000
"""Answers of an authorizer that are remembered: one for each connection that a server takes unless told otherwise."""

Vouched = Callable[[Grant | Refusal], None]

_is_id = re.compile(rf"[A-Za-z0-9_\-]{{1,{tokens.MAX_ID}}}").fullmatch


class Vouching:
    """The OpenID provider and the authorizer that are configured, if they are."""

    def __init__(self, settings: Settings, not_before: float) -> None:
        self._rules = settings.oidc
        self._not_before = not_before
        self._provider = Provider(settings.oidc) if settings.oidc.issuer else None
        self._authorizer = (
            Authorizer(settings.authorizer, settings) if settings.authorizer is not None else None
        )
        self._channels = configured_channels("oidc", settings.oidc.channels)
        self._answers: OrderedDict[bytes, tuple[Grant | Unauthorized, float]] = OrderedDict()
        """What the authorizer said, and until when that is good."""

    def ask(self, value: str, wanted: Wanted, done: Vouched) -> bool:
        """Ask whoever may know a token, if there is somebody. Then ``done`` runs once, perhaps later; else never."""
        token = bare(value)
        provider, authorizer = self._provider, self._authorizer
        if provider is not None and wanted.modes & OIDC_MODES and provider.issued(token):
            provider.verify(token, lambda claims: done(self._signed(token, claims)))
        elif (
            authorizer is not None
            and "AWS_LAMBDA" in wanted.modes
            and oidc.issuer_of(token) != tokens.OURS
        ):
            self._ask(authorizer, value, wanted, done)
        else:
            return False
        return True

    async def stop(self) -> None:
        """Let go of whoever is being asked: nobody waits for them any more."""
        if self._provider is not None:
            await self._provider.stop()
        if self._authorizer is not None:
            await self._authorizer.stop()

    # -- a provider's signature ----------------------------------------------------------------------------------------

    def _signed(self, token: str, claims: oidc.Claims | Refusal) -> Grant | Refusal:
        """What a token is good for that a provider has signed, if it has."""
        if isinstance(claims, Refusal):
            return claims
        try:
            return self._of_provider(token, claims)
        except BadRequest as error:
            return Unauthorized(f"This token is not taken: {error.message}.")

    def _of_provider(self, token: str, claims: oidc.Claims) -> Grant:
        rules = self._rules
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
            self._channels,
            mode="OPENID_CONNECT",
            player=_player(named) if role is Role.PLAYER else None,
            ends=oidc.ends(claims, rules.clock_skew),
            said=claims,
        )

    # -- an authorizer's word ------------------------------------------------------------------------------------------

    def _ask(self, authorizer: Authorizer, value: str, wanted: Wanted, done: Vouched) -> None:
        """Ask the authorizer, unless what it said about the same is still good."""
        if not 0 < len(value) <= oidc.MAX_TOKEN:
            done(Unauthorized())
            return
        question = digest("\n".join((wanted.operation, wanted.channel or "", value)))
        said = self._answers.pop(question, None)
        if said is not None and said[1] > time.time():
            self._answers[question] = said
            done(said[0])
            return
        answered = partial(self._answered, question, value, wanted, done)
        authorizer.ask(value, wanted.operation, wanted.channel, wanted.caller.headers, answered)

    def _answered(
        self, question: bytes, value: str, wanted: Wanted, done: Vouched, answer: Answer | Refusal
    ) -> None:
        if isinstance(answer, Refusal):
            done(answer)
            return
        until = time.time() + answer.ttl
        said: Grant | Unauthorized
        try:
            said = _authorized(value, wanted, answer, until)
        except Unauthorized as refusal:
            said = refusal
        if answer.ttl:
            self._answers[question] = (said, until)
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        done(said)


def _authorized(value: str, wanted: Wanted, answer: Answer, until: float) -> Grant:
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
    return f"{kind}-{digest(token).hex()[:24]}"
