"""One connection's life without a socket: text in, frames out.

A session knows the protocol, the connection's credential, its subscriptions and its rate; the door that carries it
knows the socket, the clock and the task. Whatever a client sends is answered here or nowhere, and never ends another
session.

Longer than most: all of it is one state. A publish and a subscribe wait for the same others (a handler, whoever knows a
credential), hold up the frames behind them together, and may be overtaken by the same end.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

from leaderboard import channels, messages, replies
from leaderboard.access import Caller
from leaderboard.audience import Outlet, Subscription
from leaderboard.errors import (
    BadRequest,
    Close,
    DuplicatedOperation,
    InternalFailure,
    LimitExceeded,
    MaxSubscriptionsReached,
    Refusal,
    Unauthorized,
    UnknownOperation,
    UnsupportedOperation,
)
from leaderboard.grants import Grant, Role
from leaderboard.handlers import Handled
from leaderboard.limits import Rate
from leaderboard.logs import connection_id
from leaderboard.messages import ConnectionInit, Malformed, Message, Publish, Subscribe, Unsubscribe
from leaderboard.operations import Operations
from leaderboard.settings import Limits
from leaderboard.targets import Target

log = logging.getLogger(__name__)

T = TypeVar("T")
Asked = TypeVar("Asked", Publish, Subscribe)

REMEMBERED = 8192
"""Characters of credentials that a session remembers: a JWT with many claims and a signature of AWS fit."""
UNANSWERED = 100
"""Publishes that may wait for an engine before the door stops reading: four seconds at AppSync's rate."""


class Door(Outlet, Protocol):
    """The socket side of a connection."""

    @property
    def backlog(self) -> int:
        """Bytes sent that have not left."""

    def send_text(self, text: bytes) -> None:
        """Send one text frame, UTF-8, as soon as the socket takes it."""

    def close(self, code: Close, reason: str = "") -> None:
        """Close after what was sent."""

    def wake(self) -> None:
        """``busy`` may have ended."""


class Session:
    """One connection, opened by what its upgrade deserved: a grant, or a refusal if its credential was no good."""

    tells_failures_as_success = False
    """Whether a publish of which every event failed is a success all the same, as at AWS."""

    @classmethod
    def look_at(cls, credentials: Mapping[str, str], named: bool) -> None:
        """What an upgrade brings, and whether it named the protocol; raises a `Refusal` for what may not connect."""

    def __init__(
        self,
        operations: Operations,
        limits: Limits,
        door: Door,
        opened: Grant | Refusal,
        caller: Caller,
    ) -> None:
        self._operations = operations
        self._targets = operations.targets
        self._budgets = operations.budgets
        self._broker = operations.broker
        self._limits = limits
        self.door = door
        self._opened = opened
        self._caller = caller
        self.id = replies.new_identifier()
        """What the log calls this connection."""
        self._received = operations.broker.metrics.counter("InboundMessages")
        self._rate = Rate(limits.publishes_per_second, "publishes of one connection")
        self._subscriptions: dict[str, Subscription] = {}
        self._grants: dict[str, Grant] = {}
        """What the subscriptions were opened by, where that may end."""
        self.ends = math.inf
        """No grant of this connection ends before, in seconds since 1970."""
        if isinstance(opened, Grant):
            self._expect_end(opened)
        self._unanswered = self._answers = 0
        self._channel: str | None = None
        self._authorization: dict[str, Any] | None = None
        self._last_target: Target
        self._halted = self._closed = False
        self._parked = 0
        """Answers of others that are waited for: a step that waits may lead to another that does."""
        self.waiting: dict[Subscription, None] = {}
        self.spoken = False
        """Whether the client has sent anything yet."""

    # -- in -----------------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """The door must not read on while this is true: the client does not take its answers, or waits for too many,
        or for a handler or whoever knows its credential, behind which its later frames wait in order; or the server is
        about to end."""
        waiting = self._parked > 0 or self._halted
        return waiting or self._unanswered >= UNANSWERED or self.door.congested

    @property
    def subscribed(self) -> int:
        """Live subscriptions."""
        return len(self._subscriptions)

    @property
    def bearer(self) -> str:
        """By what the connection was opened, as it may be logged."""
        opened = self._opened
        if isinstance(opened, Refusal):
            return f"refused: {opened.error_type}"
        return f"{opened.id} ({opened.role.name.lower()})"

    def receive(self, text: str) -> None:
        """Take one text frame. All that is wrong with it is told to the client; nothing is raised."""
        if not self._begin():
            return
        try:
            message = messages.decode(text)
        except Malformed as malformed:
            self._reject(malformed.answer, malformed.refusal, malformed.id)
            return
        try:
            if isinstance(message, Publish):
                self._publish(message)
            elif isinstance(message, Subscribe):
                self._subscribe(message)
            elif isinstance(message, Unsubscribe):
                self._unsubscribe(message)
            else:
                self._acknowledge()
        except Refusal as refusal:
            self._refuse(message, refusal)
        except Exception:
            log.exception("a %s failed", type(message).__name__, extra={"connection": self.id})
            self._refuse(message, InternalFailure())

    def receive_binary(self) -> None:
        """A binary frame: the protocol has none."""
        if self._begin():
            refusal = UnsupportedOperation(
                "Binary frames are not supported through the realtime channel"
            )
            self._reject("error", refusal)

    def pause(self) -> None:
        """The door is congested: until `resume`, snapshots pass this connection by."""
        self._broker.pause(self._subscriptions.values())

    def resume(self) -> None:
        """The door has room again."""
        self._broker.resume(self)

    def halt(self) -> None:
        """Take no more frames until `closed`: what was acknowledged by now is in the last snapshot."""
        self._halted = True

    def closed(self) -> None:
        """The connection is gone, whoever ended it."""
        self._closed, self._halted = True, False
        for subscription in self._subscriptions.values():
            self._broker.unsubscribe(subscription)
        self._subscriptions.clear()
        self._grants.clear()
        self.ends = math.inf

    def end_grants(self) -> None:
        """End what was opened by grants that do not hold any more: subscriptions, and the connection itself."""
        ended = self._operations.auth.ended
        self.ends = math.inf
        for id_, grant in list(self._grants.items()):
            refusal = ended(grant)
            if refusal is None:
                self._expect_end(grant)
                continue
            del self._grants[id_]
            self._broker.unsubscribe(self._subscriptions.pop(id_))
            self.door.send_text(replies.error("subscribe_error", [refusal], id_))
        if isinstance(self._opened, Grant):
            refusal = ended(self._opened)
            if refusal is None:
                self._expect_end(self._opened)
            else:
                self._turn_away(refusal)
                self.closed()

    def _expect_end(self, grant: Grant) -> None:
        if grant.ends is not None:
            self.ends = min(self.ends, grant.ends)

    def _begin(self) -> bool:
        """Whether frames of this connection are served."""
        self._received.value += 1
        self.spoken = True
        if isinstance(self._opened, Grant):
            return not self._closed
        # Told now, not at the upgrade: amplify-js listens only after its own first frame, and it takes
        # a connection_error as final where a refused upgrade would make it try again.
        self._turn_away(self._opened)
        return False

    def _turn_away(self, refusal: Refusal) -> None:
        self._operations.refusals.note("connect", refusal, self.id)
        self.door.send_text(replies.error("connection_error", [refusal]))
        self.door.close(Close.NORMAL, refusal.error_type)

    def _acknowledge(self) -> None:
        timeout = int(self._limits.keep_alive * 5 * 1000)  # AppSync: 300 s for a ka every 60 s
        self.door.send_text(replies.connection_ack(timeout))
        # At once: amplify-js counts from the last keep-alive of any connection, or from when its page was loaded, and
        # would give up a quiet connection five seconds after making it.
        self.door.send_text(replies.KEEP_ALIVE)

    def _park(self, ask: Callable[[Callable[[T], None]], None], go_on: Callable[[T], None]) -> None:
        """Ask somebody. Until the answer is there, the frames that come wait; ``go_on`` is told what it was."""
        answered = parked = False

        def answer(value: T) -> None:
            nonlocal answered
            answered = True
            try:
                go_on(value)
            finally:
                if parked:  # not within the call of `ask`: nobody has begun to wait there
                    self._parked -= 1
                    if not self._parked:
                        self.door.wake()

        named = connection_id.set(self.id)  # what the handler logs is of this connection
        try:
            ask(answer)
        finally:
            connection_id.reset(named)
        if not answered:
            parked = True
            self._parked += 1

    # -- publish ------------------------------------------------------------------------------------------------------

    def _publish(self, message: Publish) -> None:
        messages.check_events(message.events)
        channel, authorization = message.channel, message.authorization
        # A client mostly says what it said last: that is not looked up again.
        if (
            channel == self._channel
            and authorization == self._authorization
            and self._operations.auth.holds(self._last_target.grant)
        ):
            self._take(message, self._last_target)
            return
        ask = partial(self._targets.to_publish, channel, authorization, self._caller)
        self._park(ask, partial(self._aimed, message, self._may_publish))

    def _aimed(
        self, message: Asked, go_on: Callable[[Asked, Target], None], target: Target | Refusal
    ) -> None:
        """Somebody has said what a credential is good for, perhaps long after it was asked."""
        if self._closed:
            return
        try:
            if isinstance(target, Refusal):
                raise target
            refusal = self._operations.auth.ended(target.grant)
            if refusal is not None:
                raise refusal
            go_on(message, target)
        except Refusal as error:
            self._refuse(message, error)
        except Exception:
            log.exception("a %s failed", type(message).__name__)
            self._refuse(message, InternalFailure())

    def _may_publish(self, message: Publish, target: Target) -> None:
        # Only what a credential needs is worth remembering: a client could put megabytes beside it.
        if _is_small(message.authorization):
            self._channel, self._authorization = message.channel, message.authorization
            self._last_target = target
        self._take(message, target)

    def _take(self, message: Publish, target: Target) -> None:
        """Take a publish of one who may: the rest is its rate, its handler and its events."""
        now = time.monotonic()
        try:
            self._rate.take(now)
        except LimitExceeded:
            self._broker.metrics.count("InboundMessageDropped")
            raise
        ask = self._budgets.take(target.grant, now)
        if ask is None:
            self._taken(message, target)
        else:
            self._park(ask, partial(self._allowed, message, target))

    def _allowed(self, message: Publish, target: Target, refusal: Refusal | None) -> None:
        """It is told whether other processes have left something of the rate."""
        if refusal is None and not self._closed:
            self._taken(message, target)
        elif refusal is not None:
            self._refuse(message, refusal)

    def _taken(self, message: Publish, target: Target) -> None:
        self._unanswered += 1
        if target.handler is not None:
            ask = partial(self._operations.handle, target, message.events)
            self._park(ask, partial(self._handled, message, target))
            return
        self._hand_on(message, target, self._operations.publish, message.events)

    def _handled(self, message: Publish, target: Target, handled: Handled | Refusal) -> None:
        """A handler has said what is to become of a publish."""
        if isinstance(handled, Refusal):
            self._answer(message, target, handled)
        else:
            self._hand_on(message, target, self._operations.publish_handled, handled)

    def _hand_on(
        self, message: Publish, target: Target, publish: Callable[..., None], what: object
    ) -> None:
        answers = self._answers
        try:
            answer = partial(self._answer, message, target)
            publish(target, what, answer, results=message.results)
        except Exception:
            log.exception("a publish failed", extra={"connection": self.id})
            if self._answers == answers:  # it has one answer, also where the fault lies behind it
                self._answer(message, target, InternalFailure())

    def _answer(
        self, message: Publish, target: Target, published: replies.Published | Refusal
    ) -> None:
        """Tell the client what became of a publish."""
        self._answers += 1
        self._unanswered -= 1
        if self._unanswered == UNANSWERED - 1:
            self.door.wake()
        if not isinstance(published, replies.Published):
            self._refuse(message, published)
        elif published.successful or not published.failed or self.tells_failures_as_success:
            # a handler may have dropped them all
            target.published.value += 1
            self.door.send_text(replies.publish_success(message.id, published))
        else:
            # amplify-js resolves a publish_success whatever its `failed` says: only an error reaches the app.
            self._broker.metrics.count("PublishClientError", target.namespace)
            self.door.send_text(replies.publish_failed(message.id, published.failed))

    # -- subscribe ----------------------------------------------------------------------------------------------------

    def _subscribe(self, message: Subscribe) -> None:
        if message.id in self._subscriptions:
            raise DuplicatedOperation(f"{message.id} is the id of a live subscription")
        channel, authorization = message.channel, message.authorization
        ask = partial(self._targets.to_subscribe, channel, authorization, self._caller)
        self._park(ask, partial(self._aimed, message, self._may_subscribe))

    def _may_subscribe(self, message: Subscribe, target: Target) -> None:
        ceiling = self._limits.subscriptions_per_connection
        if len(self._subscriptions) >= ceiling:
            raise MaxSubscriptionsReached(f"{ceiling} subscriptions per connection, no more")
        subscription = self._subscription(message, target)
        if target.handler is None:
            self._open(message, target, subscription)
        else:
            ask = partial(self._targets.admit, target)
            self._park(ask, partial(self._admitted, message, target, subscription))

    def _admitted(
        self,
        message: Subscribe,
        target: Target,
        subscription: Subscription,
        refusal: Refusal | None,
    ) -> None:
        """A handler has said whether a channel may be seen."""
        if self._closed:
            return
        try:
            # While it was asked, the grant may have ended.
            refusal = refusal or self._operations.auth.ended(target.grant)
            if refusal is not None:
                raise refusal
            self._open(message, target, subscription)
        except Refusal as error:
            self._refuse(message, error)
        except Exception:
            log.exception("a subscribe failed", extra={"connection": self.id})
            self._refuse(message, InternalFailure())

    def _open(self, message: Subscribe, target: Target, subscription: Subscription) -> None:
        self._broker.subscribe(subscription)
        self._subscriptions[message.id] = subscription
        if not target.grant.lasting:
            self._grants[message.id] = target.grant
            self._expect_end(target.grant)
        self._count("Subscribe", "Success", target.path)
        self.door.send_text(replies.success("subscribe", message.id))
        self._broker.greet(subscription)

    def _subscription(self, message: Subscribe, target: Target) -> Subscription:
        spec, path, rules = message.view, target.path, target.rules
        host = target.grant.role >= Role.HOST
        if rules.kind == "relay":
            if spec not in (None, "events"):
                raise BadRequest("A relay channel has events, not a ranking to view")
            return Subscription(self, message.id, path, None, host=host)
        if spec == "events":
            if not rules.events:
                raise BadRequest(f"Namespace {target.namespace!r} does not show raw events")
            return Subscription(self, message.id, path, None, host=host)
        spec = spec or messages.ViewSpec()
        if spec.live and not host:
            raise Unauthorized("Only a host sees behind a frozen board.")
        epoch, _, version = (spec.since or "").partition(".")
        since = epoch, int(version) if version.isdecimal() else 0
        view = spec.view(rules.top)
        return Subscription(self, message.id, path, view, spec.every, since, host=host)

    def _unsubscribe(self, message: Unsubscribe) -> None:
        subscription = self._subscriptions.pop(message.id, None)
        if subscription is None:
            raise UnknownOperation(f"Unknown operation id {message.id}")
        self._grants.pop(message.id, None)
        self._broker.unsubscribe(subscription)
        self._count("Unsubscribe", "Success", subscription.channel)
        self.door.send_text(replies.success("unsubscribe", message.id))

    # -- out ----------------------------------------------------------------------------------------------------------

    def relay(self, frame: bytes) -> None:
        """Send an event that must not be conflated; a client that leaves too many of them unread is cut off."""
        if self._closed:
            return
        if self.door.backlog + len(frame) > self._limits.subscriptions_backlog:
            self.door.close(Close.TOO_SLOW, "too many events unread")
            self.closed()
            return
        self.door.write(frame)

    def _refuse(self, message: Message, refusal: Refusal) -> None:
        id_ = None if isinstance(message, ConnectionInit) else message.id
        self._reject(messages.answer_to(message), refusal, id_)

    def _reject(self, answer: str, refusal: Refusal, id: str | None = None) -> None:  # noqa: A002
        kind = "ServerError" if refusal.status >= 500 else "ClientError"
        operation = answer.removesuffix("_error").capitalize()
        self._operations.refusals.note(operation.lower(), refusal, self.id)
        if operation in ("Publish", "Subscribe", "Unsubscribe"):
            self._count(operation, kind)
        self.door.send_text(replies.error(answer, [refusal], id))

    def _count(self, operation: str, result: str, path: str = "") -> None:
        namespace = channels.namespace(path) if path else ""
        self._broker.metrics.count(f"{operation}{result}", namespace)


def _is_small(authorization: Mapping[str, Any] | None) -> bool:
    """Whether these are a few short texts, as the members of every auth mode are."""
    members = (authorization or {}).items()
    texts = all(isinstance(value, str) for _, value in members)
    return texts and sum(len(name) + len(value) for name, value in members) <= REMEMBERED
