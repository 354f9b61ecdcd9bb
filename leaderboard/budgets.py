"""How often may be published: what a credential, a player and a token have left, whatever doors they come by.

What one connection may is its `session`'s to count.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from leaderboard.allowances import Allowances
from leaderboard.errors import LimitExceeded, Refusal
from leaderboard.grants import Grant
from leaderboard.limits import Rates
from leaderboard.metrics import Metrics
from leaderboard.settings import Limits

Ask = Callable[[Callable[[Refusal | None], None]], None]


class Budgets:
    """The rates of one server; ``shared`` are those of all its processes together."""

    def __init__(self, limits: Limits, shared: Allowances, metrics: Metrics) -> None:
        self._limits = limits
        self._shared = shared
        self._metrics = metrics
        self._credentials = Rates(limits.publishes_per_credential, "publishes of one credential")
        self._players = Rates(limits.publishes_per_player, "publishes of one player")
        self._tokens = Rates(0, "publishes by one token")

    def take(self, grant: Grant, now: float) -> Ask | None:
        """Count a publish against what a credential and a player may.

        Raises `LimitExceeded`. A player's rate is that of all its devices together; a key that many clients share has
        none of its own unless it is configured, and a token the one that it names. What is given back has to be asked
        before the publish goes on: other processes may have let pass what there is.
        """
        try:
            if grant.player is not None:
                self._players.take(f"{grant.channels[0]} {grant.player}", now)
            if self._limits.publishes_per_credential:
                self._credentials.take(grant.id, now)
            if grant.rate is not None:
                self._tokens.take(grant.id, now, grant.rate)
        except LimitExceeded:
            self._metrics.count("InboundMessageDropped")
            raise
        return None if self._shared.alone else self._take_of_all(grant, now)

    def _take_of_all(self, grant: Grant, now: float) -> Ask | None:
        """Count it against what all processes share, as far as that can be done here."""
        limits = self._limits
        rates: list[tuple[str, int]] = []
        if grant.player is not None and limits.publishes_per_player:
            rates.append((f"{grant.channels[0]} {grant.player}", limits.publishes_per_player))
        # Of a token's own rate and that of every credential the smaller one counts.
        own = [each for each in (limits.publishes_per_credential, grant.rate) if each]
        if own:
            rates.append((grant.id, min(own)))
        left = [each for each in rates if not self._shared.take(*each, now)]
        return partial(self._ask_all, left) if left else None

    def _ask_all(
        self, rates: list[tuple[str, int]], done: Callable[[Refusal | None], None]
    ) -> None:
        (name, most), *others = rates

        def taken(refusal: Refusal | None) -> None:
            if refusal is not None:
                self._metrics.count("InboundMessageDropped")
                done(refusal)
            elif others:
                self._ask_all(others, done)
            else:
                done(None)

        self._shared.ask(name, most, taken)
