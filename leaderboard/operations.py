"""What a publish, a subscribe and a read go through, whichever door they come by.

The order is that of AppSync: the channel and its namespace, the credential, then the rates, then the namespace's
handler if it has one, then the events. A request is refused as a whole by raising; an event that is refused singly is
reported in ``failed``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Literal

from msgspec import Struct

from leaderboard import channels, handlers, replies
from leaderboard.access import Caller, Wanted
from leaderboard.auth import Authenticator
from leaderboard.board import Applied
from leaderboard.broker import Broker
from leaderboard.engines import Batch, Outcome, answer_of
from leaderboard.errors import LimitExceeded, Refusal, ResourceNotFound, Unauthorized
from leaderboard.events import Event, Score, decode_any_event, decode_board_event
from leaderboard.functions import Function
from leaderboard.grants import Grant, Role, may_apply, may_touch
from leaderboard.handlers import Board, Context, Handled, Handlers, outgoing
from leaderboard.limits import Rates
from leaderboard.metrics import Counter
from leaderboard.ranking import number
from leaderboard.refusals import Refusals
from leaderboard.replies import Accepted, Failed, Published, Result
from leaderboard.settings import Limits, Namespace

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
Ask = Callable[[Callable[[Refusal | None], None]], None]


class Operations:
    """The operations of one server."""

    def __init__(
        self, broker: Broker, auth: Authenticator, handlers: Handlers, limits: Limits
    ) -> None:
        self.broker = broker
        self.auth = auth
        self.handlers = handlers
        self._limits = limits
        self._credentials = Rates(limits.publishes_per_credential, "publishes of one credential")
        self._players = Rates(limits.publishes_per_player, "publishes of one player")
        self._tokens = Rates(0, "publishes by one token")
        self._shared = broker.allowances("publishes")
        self.refusals = Refusals()

    def take(self, grant: Grant, now: float) -> Ask | None:
        """Count a publish against what a credential and a player may, whatever doors they come by.

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
            self.broker.metrics.count("InboundMessageDropped")
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
                self.broker.metrics.count("InboundMessageDropped")
                done(refusal)
            elif others:
                self._ask_all(others, done)
            else:
                done(None)

        self._shared.ask(name, most, taken)

    def to_publish(
        self, channel: str, credentials: Credentials, caller: Caller, done: Aimed
    ) -> None:
        """Where a publish may go; ``done`` as of `Authenticator.identify`. Raises `BadRequest` for no channel."""
        path = channels.parse(channel)
        wanted = self.auth.access.to_publish(
            path, self.broker.namespaces.get(channels.namespace(path)), caller
        )
        self._aim(path, credentials, wanted, self._to_publish, done)

    def to_subscribe(
        self, channel: str, credentials: Credentials, caller: Caller, done: Aimed
    ) -> None:
        """What a subscribe may show; ``done`` as of `Authenticator.identify`. Raises `BadRequest` for no channel."""
        path = channels.parse_subscription(channel)
        wanted = self.auth.access.to_subscribe(
            path, self.broker.namespaces.get(channels.namespace(path)), caller
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

        self.auth.identify(credentials, wanted, identified)

    def _target_or_refusal(
        self, path: str, grant: Grant, aim: Callable[[str, Namespace, Grant], Target]
    ) -> Target | Refusal:
        try:
            if not grant.covers(path):
                raise Unauthorized  # before the namespace: who may not go there does not learn whether it is there
            return aim(path, self.broker.rules(path), grant)
        except Refusal as refusal:
            return refusal

    async def to_read(self, path: str, grant: Grant) -> Target:
        """What a reader may be shown; raises `Unauthorized`, or what the namespace's handler refuses with."""
        target = self._to_see(path, self.broker.rules(path), grant)
        refusal = await answer_of(partial(self.admit, target))
        if refusal is not None:
            raise refusal
        return target

    def lists(self, grant: Grant, path: str) -> bool:
        """Whether a board is named in a list; where a handler would have to be asked about each, to a host alone."""
        try:
            target = self._to_see(path, self.broker.rules(path), grant)
        except Unauthorized:
            return False
        return target.handler is None or grant.role >= Role.HOST

    def _to_publish(self, path: str, rules: Namespace, grant: Grant) -> Target:
        self.auth.access.may_publish(grant, path, rules)
        return self._target(path, rules, grant, self.handlers.on_publish)

    def _to_see(self, path: str, rules: Namespace, grant: Grant) -> Target:
        self.auth.access.may_subscribe(grant, path, rules)
        return self._target(path, rules, grant, self.handlers.on_subscribe)

    def _target(
        self, path: str, rules: Namespace, grant: Grant, asked: Mapping[str, Function]
    ) -> Target:
        namespace, counter = channels.namespace(path), self.broker.metrics.counter
        published = counter("PublishSuccess", namespace)
        events = counter("SuccessfulEvents", namespace)
        return Target(path, namespace, rules, grant, published, events, asked.get(namespace))

    # -- handlers -----------------------------------------------------------------------------------------------------

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

        self.broker.metrics.count("SubscribeHandlerInvocations", target.namespace)
        handler.ask(self._context("SUBSCRIBE", target), answered)

    def handle(
        self, target: Target, texts: Sequence[str], done: Callable[[Handled | Refusal], None]
    ) -> None:
        """Ask what becomes of a publish; ``done`` runs once, perhaps later, and `publish_handled` goes on from there.

        An event that is no JSON, or names a row that its sender may not touch, has failed before.
        """
        events: list[handlers.Event] = []
        places: dict[str, int] = {}
        failed: list[Failed] = []
        for index, text in enumerate(texts):
            try:
                payload = decode_any_event(text)
                event = handlers.Event(replies.new_identifier(), payload)
                if target.rules.kind == "board" and event.player is not None:
                    may_touch(target.grant, event.player)
            except Refusal as refusal:
                failed.append(replies.failed(index, refusal))
            else:
                events.append(event)
                places[event.id] = index

        handler = target.handler
        if handler is None or not events:
            done(Handled(len(texts), failed))
            return

        def answered(answer: object) -> None:
            if isinstance(answer, Refusal):
                done(answer)
                return
            try:
                handled = outgoing(answer, places, failed, len(texts))
            except (TypeError, ValueError) as error:
                done(handler.blame(str(error)))
                return
            if handled.dropped:
                self.broker.metrics.count("DroppedEvents", target.namespace, handled.dropped)
            done(handled)

        self.broker.metrics.count("PublishedHandlerInvocations", target.namespace)
        handler.ask(self._context("PUBLISH", target, events), answered)

    def _context(
        self,
        operation: Literal["PUBLISH", "SUBSCRIBE"],
        target: Target,
        events: list[handlers.Event] | None = None,
    ) -> Context:
        return Context(
            operation=operation,
            channel=target.path,
            identity=target.grant,
            board=Board(self.broker, target.path),
            events=events or [],
        )

    def publish_handled(
        self,
        target: Target,
        handled: Handled,
        done: Callable[[Published | Refusal], None],
        *,
        results: bool = False,
    ) -> None:
        """Apply or relay what a handler let through; ``done`` as of `publish`, told in the order of the publish."""

        def published(answer: Published | Refusal) -> None:
            if isinstance(answer, Published):
                answer = handled.told(answer)
                self._count_failed(target, handled.failed)
            done(answer)

        if handled.texts:
            self.publish(target, handled.texts, published, results=results)
        else:
            published(Published([], [], [] if results else None))

    # -- publish ------------------------------------------------------------------------------------------------------

    async def perform(
        self,
        channel: str,
        headers: Mapping[str, str],
        texts: Sequence[str],
        *,
        results: bool = False,
        boards_only: bool = False,
        limited: bool = True,
    ) -> Published:
        """The whole of a publish, for those who may wait; raises what none of it was done for.

        ``limited`` counts it against the credential's rate; what the server itself makes up has its own.
        """
        caller = self.auth.access.caller(headers)
        aim = partial(self.to_publish, channel, headers, caller)
        target: Target | Refusal = await answer_of(aim)
        if isinstance(target, Refusal):
            raise target
        if boards_only and target.rules.kind != "board":
            raise ResourceNotFound(
                f"{target.path} is a relay channel: it has no ranking to control"
            )
        if limited:
            ask = self.take(target.grant, time.monotonic())
            refusal = None if ask is None else await answer_of(ask)
            if refusal is not None:
                raise refusal
        publish = partial(self.publish, target, texts)
        if target.handler is not None:
            handled = await answer_of(partial(self.handle, target, texts))
            if isinstance(handled, Refusal):
                raise handled
            publish = partial(self.publish_handled, target, handled)
        published: Published | Refusal = await answer_of(partial(publish, results=results))
        if isinstance(published, Refusal):
            raise published
        return published

    def publish(
        self,
        target: Target,
        texts: Sequence[str],
        done: Callable[[Published | Refusal], None],
        *,
        results: bool = False,
    ) -> None:
        """Apply or relay events; ``done`` runs once, with a refusal if none of it was done."""
        if target.rules.kind == "board":
            self._publish_scores(target, texts, done, results=results)
        else:
            self._publish_relay(target, texts, done)

    def _publish_scores(
        self,
        target: Target,
        texts: Sequence[str],
        done: Callable[[Published | Refusal], None],
        *,
        results: bool,
    ) -> None:
        events: list[Event] = []
        failed: list[Failed] = []
        sent: Sequence[int] = range(len(texts))
        restricted = target.grant.player is not None
        for index, text in enumerate(texts):
            try:
                event = decode_board_event(text)
                if restricted or event.__class__ is not Score:
                    may_apply(target.grant, event)
                events.append(event)
            except Refusal as refusal:
                failed.append(replies.failed(index, refusal))
        if failed:
            if not events:
                done(self._published(target, [], failed))
                return
            refused = {each.index for each in failed}
            sent = [index for index in sent if index not in refused]

        def applied(outcome: Outcome | Refusal) -> None:
            if isinstance(outcome, Outcome):
                successful = []
                for index, event in zip(sent, outcome.events):  # noqa: B905, an engine answers each
                    if isinstance(event, Applied):
                        successful.append(replies.accepted(index, event.duplicate))
                    else:
                        failed.append(replies.failed(index, event))
                published = self._published(target, successful, failed)
                if results and (not outcome.frozen or target.grant.role >= Role.HOST):
                    published.results = _results(len(texts), sent, outcome)
                done(published)
            else:
                done(outcome)

        raw = [texts[index] for index in sent] if target.rules.events else ()
        self.broker.apply(Batch(target.path, target.rules, events, raw, results), applied)

    def _publish_relay(
        self, target: Target, texts: Sequence[str], done: Callable[[Published | Refusal], None]
    ) -> None:
        failed: list[Failed] = []
        sent: list[int] = []
        for index, text in enumerate(texts):
            try:
                decode_any_event(text)
                sent.append(index)
            except Refusal as refusal:
                failed.append(replies.failed(index, refusal))

        def relayed(refusal: Refusal | None) -> None:
            successful = [replies.accepted(index) for index in sent]
            done(refusal or self._published(target, successful, failed))

        if sent:
            self.broker.relay(target.path, [texts[index] for index in sent], relayed)
        else:
            done(self._published(target, [], failed))

    def _published(
        self, target: Target, successful: list[Accepted], failed: list[Failed]
    ) -> Published:
        target.events.value += len(successful)
        if failed:
            self._count_failed(target, failed)
            failed.sort(key=attrgetter("index"))
        return Published(successful, failed)

    def _count_failed(self, target: Target, failed: Sequence[Failed]) -> None:
        if failed:
            self.broker.metrics.count("FailedEvents", target.namespace, len(failed))
            for each in failed:
                self.refusals.note_as(f"event of {target.namespace}", each.errorType, each.message)


def _results(count: int, sent: Sequence[int], outcome: Outcome) -> list[Result | None]:
    """Where each event of a publish left its player; None for those that failed or have none."""
    results: list[Result | None] = [None] * count
    for index, event, rank in zip(sent, outcome.events, outcome.ranks, strict=True):
        if isinstance(event, Applied) and event.player:
            score = None if event.score is None else number(event.score)
            results[index] = Result(event.player, score, rank, outcome.version)
    return results
