"""Who may go where: a channel as text and a credential become a `Target`, or the refusal of one.

What is seen, by a subscribe or a read, is asked about here to the end; what a publish goes through is in `operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

from msgspec import Struct

from leaderboard import channels, handlers
from leaderboard.access import Caller, Wanted
from leaderboard.auth import Authenticator
from leaderboard.broker import Broker
from leaderboard.engines import answer_of
from leaderboard.errors import Refusal, Unauthorized
from leaderboard.functions import Function
from leaderboard.grants import Grant, Role
from leaderboard.handlers import Board, Context, Handlers
from leaderboard.metrics import Counter
from leaderboard.settings import Namespace

Credentials = Mapping[str, str] | None


class Target(Struct, frozen=True):
    """A channel or wildcard, its namespace and rules, and a grant that may do there what was asked."""

    path: str
    namespace: str
    rules: Namespace
    grant: Grant
    published: Counter
    """Publishes of the namespace that succeeded."""
    events: Counter
    """Events of the namespace that succeeded."""
    handler: Function | None
    """Who is asked first, about a publish or a subscribe, as the case may be."""


Aimed = Callable[[Target | Refusal], None]


class Targets:
    """Where the clients of one server may go."""

    def __init__(self, broker: Broker, auth: Authenticator, handlers: Handlers) -> None:
        self._broker = broker
        self._auth = auth
        self._handlers = handlers

    def to_publish(
        self, channel: str, credentials: Credentials, caller: Caller, done: Aimed
    ) -> None:
        """Where a publish may go; ``done`` as of `Authenticator.identify`. Raises `BadRequest` for no channel."""
        path = channels.parse(channel)
        wanted = self._auth.access.to_publish(
            path, self._broker.namespaces.get(channels.namespace(path)), caller
        )
        self._aim(path, credentials, wanted, self._to_publish, done)

    def to_subscribe(
        self, channel: str, credentials: Credentials, caller: Caller, done: Aimed
    ) -> None:
        """What a subscribe may show; ``done`` as of `Authenticator.identify`. Raises `BadRequest` for no channel."""
        path = channels.parse_subscription(channel)
        wanted = self._auth.access.to_subscribe(
            path, self._broker.namespaces.get(channels.namespace(path)), caller
        )
        self._aim(path, credentials, wanted, self._to_see, done)

    def _aim(
        self,
        path: str,
        credentials: Credentials,
        wanted: Wanted,
        aim: Callable[[str, Namespace, Grant], Target],
        done: Aimed,
    ) -> None:
        def identified(grant: Grant | Refusal) -> None:
            done(grant if isinstance(grant, Refusal) else self._target_or_refusal(path, grant, aim))

        self._auth.identify(credentials, wanted, identified)

    def _target_or_refusal(
        self, path: str, grant: Grant, aim: Callable[[str, Namespace, Grant], Target]
    ) -> Target | Refusal:
        try:
            if not grant.covers(path):
                raise Unauthorized  # before the namespace: who may not go there does not learn whether it is there
            return aim(path, self._broker.rules(path), grant)
        except Refusal as refusal:
            return refusal

    async def to_read(self, path: str, grant: Grant) -> Target:
        """What a reader may be shown; raises `Unauthorized`, or what the namespace's handler refuses with."""
        target = self._to_see(path, self._broker.rules(path), grant)
        refusal = await answer_of(partial(self.admit, target))
        if refusal is not None:
            raise refusal
        return target

    def lists(self, grant: Grant, path: str) -> bool:
        """Whether a board is named in a list; where a handler would have to be asked about each, to a host alone."""
        try:
            target = self._to_see(path, self._broker.rules(path), grant)
        except Unauthorized:
            return False
        return target.handler is None or grant.role >= Role.HOST

    def _to_publish(self, path: str, rules: Namespace, grant: Grant) -> Target:
        self._auth.access.may_publish(grant, path, rules)
        return self._target(path, rules, grant, self._handlers.on_publish)

    def _to_see(self, path: str, rules: Namespace, grant: Grant) -> Target:
        self._auth.access.may_subscribe(grant, path, rules)
        return self._target(path, rules, grant, self._handlers.on_subscribe)

    def _target(
        self, path: str, rules: Namespace, grant: Grant, asked: Mapping[str, Function]
    ) -> Target:
        namespace, counter = channels.namespace(path), self._broker.metrics.counter
        published = counter("PublishSuccess", namespace)
        events = counter("SuccessfulEvents", namespace)
        return Target(path, namespace, rules, grant, published, events, asked.get(namespace))

    def admit(self, target: Target, done: Callable[[Refusal | None], None]) -> None:
        """Ask whether a channel may be seen; ``done`` runs once, perhaps later, with a refusal if not."""
        handler = target.handler
        if handler is None:
            done(None)
            return

        def answered(answer: object) -> None:
            if answer is None or isinstance(answer, Refusal):
                done(answer)
            else:  # in doubt nobody is let in: it may have meant "no"
                done(handler.blame(f"returned {type(answer).__name__} instead of nothing"))

        self._broker.metrics.count("SubscribeHandlerInvocations", target.namespace)
        handler.ask(self.context("SUBSCRIBE", target), answered)

    def context(
        self,
        operation: Literal["PUBLISH", "SUBSCRIBE"],
        target: Target,
        events: list[handlers.Event] | None = None,
    ) -> Context:
        """What a handler is told."""
        return Context(
            operation=operation,
            channel=target.path,
            identity=target.grant,
            board=Board(self._broker, target.path),
            events=events or [],
        )
