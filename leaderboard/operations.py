"""What a publish, a subscribe and a read go through, whichever door they come by.

The order is that of AppSync: the channel and its namespace, the credential, then (at the WebSocket) the rate, then the
events. A request is refused as a whole by raising; an event that is refused singly is reported in ``failed``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

from msgspec import Struct

from leaderboard import channels, messages
from leaderboard.auth import Authenticator, Grant, Role, may_apply
from leaderboard.board import Applied
from leaderboard.broker import Broker
from leaderboard.engines import Batch, Outcome
from leaderboard.errors import Refusal
from leaderboard.events import Event, Score
from leaderboard.messages import Accepted, Failed, Published, Result
from leaderboard.metrics import Counter
from leaderboard.ranking import number
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
        return self._target(path, rules, grant)

    def to_subscribe(self, channel: str, credentials: Credentials) -> Target:
        """What a subscribe may show; raises `BadRequest` or `Unauthorized`."""
        path = channels.parse_subscription(channel)
        rules = self.broker.rules(path)
        grant = self.auth.authenticate(credentials)
        self.auth.may_subscribe(grant, path, rules)
        return self._target(path, rules, grant)

    def _target(self, path: str, rules: Namespace, grant: Grant) -> Target:
        namespace, counter = channels.namespace(path), self.broker.metrics.counter
        published = counter("PublishSuccess", namespace)
        return Target(
            path, namespace, rules, grant, published, counter("SuccessfulEvents", namespace)
        )

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
                event = messages.decode_board_event(text)
                if restricted or event.__class__ is not Score:
                    may_apply(target.grant, event)
                events.append(event)
            except Refusal as refusal:
                failed.append(messages.failed(index, refusal))
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
                        successful.append(messages.accepted(index, event.duplicate))
                    else:
                        failed.append(messages.failed(index, event))
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
                messages.check_relay_event(text)
                sent.append(index)
            except Refusal as refusal:
                failed.append(messages.failed(index, refusal))

        def relayed(refusal: Refusal | None) -> None:
            successful = [messages.accepted(index) for index in sent]
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
            self.broker.metrics.count("FailedEvents", target.namespace, len(failed))
            failed.sort(key=attrgetter("index"))
        return Published(successful, failed)


def _results(count: int, sent: Sequence[int], outcome: Outcome) -> list[Result | None]:
    """Where each event of a publish left its player; None for those that failed or have none."""
    results: list[Result | None] = [None] * count
    for index, event, rank in zip(sent, outcome.events, outcome.ranks, strict=True):
        if isinstance(event, Applied) and event.player:
            score = None if event.score is None else number(event.score)
            results[index] = Result(event.player, score, rank, outcome.version)
    return results
