"""What a publish goes through, whichever door it comes by.

The order is that of AppSync: where it may go (`targets`), then the rates (`budgets`), then the namespace's handler if
it has one, then the events. A request is refused as a whole by raising; an event that is refused singly is reported in
``failed``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter

from leaderboard import handlers, replies
from leaderboard.auth import Authenticator
from leaderboard.board import Applied
from leaderboard.broker import Broker
from leaderboard.budgets import Budgets
from leaderboard.engines import Batch, Outcome, answer_of
from leaderboard.errors import Refusal, ResourceNotFound
from leaderboard.events import Event, Score, decode_any_event, decode_board_event
from leaderboard.grants import Role, may_apply, may_touch
from leaderboard.handlers import Handled, Handlers, outgoing
from leaderboard.ranking import number
from leaderboard.refusals import Refusals
from leaderboard.replies import Accepted, Failed, Published, Result
from leaderboard.settings import Limits
from leaderboard.targets import Target, Targets


class Operations:
    """The operations of one server."""

    def __init__(
        self, broker: Broker, auth: Authenticator, handlers: Handlers, limits: Limits
    ) -> None:
        self.broker = broker
        self.auth = auth
        self.handlers = handlers
        self.targets = Targets(broker, auth, handlers)
        self.budgets = Budgets(limits, broker.allowances("publishes"), broker.metrics)
        self.refusals = Refusals()

    # -- handlers -----------------------------------------------------------------------------------------------------

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
        handler.ask(self.targets.context("PUBLISH", target, events), answered)

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
        aim = partial(self.targets.to_publish, channel, headers, caller)
        target: Target | Refusal = await answer_of(aim)
        if isinstance(target, Refusal):
            raise target
        if boards_only and target.rules.kind != "board":
            raise ResourceNotFound(
                f"{target.path} is a relay channel: it has no ranking to control"
            )
        if limited:
            ask = self.budgets.take(target.grant, time.monotonic())
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
