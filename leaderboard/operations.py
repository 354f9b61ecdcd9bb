"""What a publish, a subscribe and a read go through, whichever door they come by.

The order is that of AppSync: the channel and its namespace, the credential, then (at the WebSocket) the rate, then the
events. A request is refused as a whole by raising; an event that is refused singly is reported in ``failed``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from leaderboard import channels, messages
from leaderboard.auth import Authenticator, Grant, may_remove
from leaderboard.board import Applied, Event, Remove, number
from leaderboard.broker import Broker
from leaderboard.engines import Batch, Outcome
from leaderboard.errors import Refusal
from leaderboard.messages import Published
from leaderboard.settings import Namespace

Credentials = Mapping[str, str] | None


class Target(Struct, frozen=True):
    """A channel or wildcard, its rules, and a grant that may do there what was asked."""

    path: str
    rules: Namespace
    grant: Grant


class Operations:
    """The operations of one server."""

    def __init__(self, broker: Broker, auth: Authenticator) -> None:
        self.broker = broker
        self.auth = auth

    def to_publish(self, channel: str, credentials: Credentials) -> Target:
        """Where a publish may go; raises `BadRequest` or `Unauthorized`."""
        path = channels.parse(channel)
        rules = self.broker.rules(path)
        grant = self.auth.authenticate(credentials)
        self.auth.may_publish(grant, path, rules)
        return Target(path, rules, grant)

    def to_subscribe(self, channel: str, credentials: Credentials) -> Target:
        """What a subscribe may show; raises `BadRequest` or `Unauthorized`."""
        path = channels.parse_subscription(channel)
        rules = self.broker.rules(path)
        grant = self.auth.authenticate(credentials)
        self.auth.may_subscribe(grant, path, rules)
        return Target(path, rules, grant)

    def publish(
        self,
        target: Target,
        events: Sequence[str],
        done: Callable[[Published | Refusal], None],
        *,
        results: bool = False,
    ) -> None:
        """Apply or relay events; ``done`` runs once, with a refusal if none of it was done."""
        publish = self._publish_scores if target.rules.kind == "board" else self._publish_relay
        publish(_Report(self.broker, target, events, done, results=results))

    def _publish_scores(self, report: _Report) -> None:
        target = report.target
        events: list[Event] = []
        for index, text in enumerate(report.texts):
            try:
                event = messages.decode_board_event(text)
                if isinstance(event, Remove):
                    may_remove(target.grant)
                events.append(event)
                report.sent.append(index)
            except Refusal as refusal:
                report.fail(index, refusal)
        if not events:
            report.finish()
            return
        texts = tuple(report.texts[index] for index in report.sent) if target.rules.events else ()
        batch = Batch(target.path, target.rules, tuple(events), texts, report.results)
        self.broker.apply(batch, report.applied)

    def _publish_relay(self, report: _Report) -> None:
        for index, text in enumerate(report.texts):
            try:
                messages.check_relay_event(text)
                report.sent.append(index)
            except Refusal as refusal:
                report.fail(index, refusal)
        if not report.sent:
            report.finish()
            return
        texts = [report.texts[index] for index in report.sent]
        self.broker.relay(report.target.path, texts, report.relayed)


class _Report:
    """The answer to one publish while it is being put together."""

    def __init__(
        self,
        broker: Broker,
        target: Target,
        texts: Sequence[str],
        done: Callable[[Published | Refusal], None],
        *,
        results: bool,
    ) -> None:
        self.target = target
        self.texts = texts
        self.results = results
        self.sent: list[int] = []
        """Indexes of the events that went to the engine."""
        self._metrics = broker.metrics
        self._done = done
        self._published = Published([], [], [None] * len(texts) if results else None)

    def fail(self, index: int, refusal: Refusal) -> None:
        self._published.failed.append(messages.failed(index, refusal))

    def applied(self, outcome: Outcome | Refusal) -> None:
        """The engine's answer for a board."""
        if isinstance(outcome, Refusal):
            self._done(outcome)
            return
        for place, (index, event) in enumerate(zip(self.sent, outcome.events, strict=True)):
            if isinstance(event, Refusal):
                self.fail(index, event)
                continue
            self._published.successful.append(messages.accepted(index, duplicate=event.duplicate))
            if self._published.results is not None:
                rank = outcome.ranks[place]
                self._published.results[index] = _result(event, rank, outcome.version)
        self.finish()

    def relayed(self, refusal: Refusal | None) -> None:
        """The engine's answer for a relay channel."""
        if refusal is not None:
            self._done(refusal)
            return
        self._published.successful += [messages.accepted(index) for index in self.sent]
        self.finish()

    def finish(self) -> None:
        published = self._published
        published.failed.sort(key=lambda item: item.index)
        namespace = channels.namespace(self.target.path)
        self._metrics.count("SuccessfulEvents", namespace, len(published.successful))
        self._metrics.count("FailedEvents", namespace, len(published.failed))
        self._done(published)


def _result(event: Applied, rank: int | None, version: int) -> messages.Result:
    score = None if event.score is None else number(event.score)
    return messages.Result(event.player, score, rank, version)
