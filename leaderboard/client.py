"""The Python client: publish scores, watch boards.

    async with connect("http://127.0.0.1:8000", key="da2-…") as client:
        await client.publish("/leaderboard/arcade", {"player": "ann", "score": 120})
        async with client.subscribe("/leaderboard/arcade", top=3) as board:
            async for snapshot in board:
                print([(row.rank, row.player, row.score) for row in snapshot.rows])

It comes back by itself when the connection is lost, subscribes again, and sends again what was not answered where that
cannot count twice. Snapshots are whole, so the first one after a break is all that was missed, and a reader that is
slow sees the newest one instead of a queue. Everything belongs to one event loop; `Client.close` ends all of it.

Longer than most: half of it is what the reader of a public interface needs, and the other half one state, of what was
asked and is not answered yet.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec

from leaderboard.link import (
    FINAL,
    CannotConnect,
    ClientError,
    Environment,
    Frame,
    Link,
    Owner,
    Refused,
    State,
    pause,
)
from leaderboard.replies import Accepted, Failed, Published, Result
from leaderboard.standing import Standing, Standings
from leaderboard.subscriptions import (
    Closed,
    Events,
    Overflow,
    Round,
    Row,
    Snapshot,
    Snapshots,
    Source,
    Subscription,
)

__all__ = [
    "Accepted",
    "CannotConnect",
    "Client",
    "ClientError",
    "Closed",
    "Environment",
    "Events",
    "Failed",
    "NotSent",
    "OutcomeUnknown",
    "Overflow",
    "Published",
    "Refused",
    "Result",
    "Round",
    "Row",
    "Snapshot",
    "Snapshots",
    "Standing",
    "Standings",
    "State",
    "Subscription",
    "connect",
]

log = logging.getLogger(__name__)

PUBLISH = 30.0
"""Seconds after which a publish that could not be sent, or was not answered, has failed."""


class NotSent(ClientError):
    """There was no connection to publish over: nothing was applied."""


class OutcomeUnknown(ClientError):
    """The connection was lost before the answer came: the events may have been applied, or not."""


@asynccontextmanager
async def connect(
    url: str,
    key: str | None = None,
    *,
    token: str | None = None,
    on_state: Callable[[State], object] | None = None,
    environment: Environment | None = None,
) -> AsyncIterator[Client]:
    """A connected client for the length of an ``async with``.

    ``url`` is any address of the server: ``http://host:port``, ``https://``, ``ws://``, ``wss://``, with or without
    ``/event/realtime``. The credential is an API ``key``, or a signed ``token``, which counts before a key.
    ``on_state`` is called with each new `State`. Raises ValueError for what is no address, `CannotConnect` if nobody
    answers there, and `Refused` if the credential is not good.
    """
    client = Client(url, key, token=token, on_state=on_state, environment=environment)
    try:
        await client.open()
        yield client
    finally:
        await client.close()


class Client:
    """One connection to a server and all that goes over it. `connect` makes, opens and closes one."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        token: str | None = None,
        on_state: Callable[[State], object] | None = None,
        environment: Environment | None = None,
    ) -> None:
        self._authorization: dict[str, str] = {}
        if token is not None:
            self._authorization["Authorization"] = token
        elif key is not None:
            self._authorization["x-api-key"] = key
        owner = Owner(self._opened, self._received, self._lost, on_state or _unheard)
        self._environment = environment or Environment()
        self._link = Link(url, self._authorization, owner, self._environment)
        self._source = Source(ask=self._ask, drop=self._drop)
        self._ids = map(str, itertools.count(1))
        self._by = secrets.token_urlsafe(12)
        self._numbers: dict[tuple[str, str], int] = {}
        self._pending: dict[str, _Pending] = {}
        self._subscriptions: dict[str, Subscription[Any]] = {}
        self._task: asyncio.Task[None] | None = None
        self._open: asyncio.Future[None]
        self._end: BaseException | None = None

    @property
    def state(self) -> State:
        """How the connection stands."""
        return self._link.state

    async def open(self) -> None:
        """Connect; returns when the server has acknowledged. Raises `CannotConnect` or `Refused`."""
        if self._task is not None:
            raise RuntimeError("a client is opened once")
        self._open = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name=f"link to {self._link.url}")
        await self._open

    async def close(self) -> None:
        """End everything: loops over subscriptions end, unanswered publishes raise `Closed`."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        self._link.closed()
        error = None if self._task.cancelled() else self._task.exception()
        if error is not None:
            raise error  # a mistake of our own, which nobody may have met yet

    async def publish(
        self, channel: str, *events: object, results: bool = False, retry: bool = True
    ) -> Published:
        """Publish 1 to 5 events, applied in order with nothing in between; returns the server's answer.

        Single events may be in the answer's ``failed``; if all are, or the publish is refused, `Refused` is raised.
        ``results`` asks for the score and rank that each event led to.

        Without a connection this waits for one, up to 30 s (`NotSent`). With ``retry``, events that have a ``player``
        and a ``score`` are numbered (``by`` and ``n``), so that the server knows a repeat; if the connection is lost
        before the answer, a publish of such events is sent once more. Any other raises `OutcomeUnknown` then, since
        AppSync delivers at most once. Give ``retry=False`` for events that must travel exactly as they are.
        """
        self._raise_if_ended()
        repeatable = True
        texts = []
        for event in events:
            if retry:
                event, numbered = self._number(channel, event)
                repeatable &= numbered
            texts.append(msgspec.json.encode(event).decode())
        frame: dict[str, Any] = {
            "type": "publish",
            "id": next(self._ids),
            "channel": channel,
            "events": texts,
            "authorization": self._authorization,
        }
        if results:
            frame["results"] = True
        pending = _Pending(frame, repeatable=retry and repeatable)
        self._pending[frame["id"]] = pending
        if self._link.open:
            self._deliver(pending)
        try:
            async with asyncio.timeout(PUBLISH):
                return await pending.answer
        except TimeoutError:
            if pending.sent:
                raise OutcomeUnknown(f"no answer in {PUBLISH:g} s") from None
            raise NotSent(f"no connection for {PUBLISH:g} s") from None
        finally:
            self._pending.pop(frame["id"], None)

    def subscribe(
        self,
        channel: str,
        *,
        top: int | None = None,
        around: str | None = None,
        radius: int | None = None,
        of: Iterable[str] | None = None,
        every: Literal[1, 2, 5, 10] | None = None,
        live: bool | None = None,
    ) -> Snapshots:
        """Snapshots of a board, or of all boards below a path (``/leaderboard/*``).

        ``top`` rows (at most 100), ``radius`` rows on both sides of the player ``around`` (2; at most 50), and the
        players ``of`` (at most 100); with none of them, the namespace's default. ``every`` asks for each 2nd, 5th or
        10th beat only, ``live``, which is for hosts, for what is behind a board that is frozen.
        """
        asked = {
            "top": top,
            "around": around,
            "radius": radius,
            "of": None if of is None else list(of),
            "every": every,
            "live": live,
        }
        view = {name: value for name, value in asked.items() if value is not None}
        return Snapshots(self._source, channel, view)

    def events(self, channel: str, *, keep: int = 1000) -> Events:
        """Events as they were published, decoded: of a relay channel, or of a board whose namespace shows them.

        ``keep`` is how many may wait for a reader; with one more the subscription ends by raising `Overflow`. Events
        published while the connection is lost are missed.
        """
        return Events(self._source, channel, keep)

    # -- publishing ---------------------------------------------------------------------------------------------------

    def _number(self, channel: str, event: object) -> tuple[object, bool]:
        """The event with ``by`` and ``n`` if it is a score, and whether a repeat of it would be known."""
        if not isinstance(event, Mapping):
            return event, False
        player = event.get("player")
        if "n" in event or "score" not in event or not isinstance(player, str):
            return event, isinstance(event.get("n"), int)
        row = (channel.strip("/"), player)
        n = self._numbers[row] = self._numbers.get(row, 0) + 1
        return {**event, "by": self._by, "n": n}, True

    def _deliver(self, pending: _Pending) -> None:
        pending.sent += 1
        self._link.send(pending.frame)

    # -- subscriptions ------------------------------------------------------------------------------------------------

    def _ask(self, subscription: Subscription[Any]) -> None:
        self._raise_if_ended()
        subscription.id = next(self._ids)
        self._subscriptions[subscription.id] = subscription
        if self._link.open:
            self._request(subscription)

    def _request(self, subscription: Subscription[Any]) -> None:
        self._link.send(
            {
                "type": "subscribe",
                "id": subscription.id,
                "channel": subscription.channel,
                "view": subscription.view(),
                "authorization": self._authorization,
            }
        )

    def _drop(self, subscription: Subscription[Any]) -> None:
        subscription.calm()
        if self._subscriptions.pop(subscription.id, None) is not None and self._link.open:
            self._link.send({"type": "unsubscribe", "id": subscription.id})

    # -- what the link says -------------------------------------------------------------------------------------------

    def _opened(self) -> None:
        # Subscriptions first, so that a board shows what its publishers are told; publishes in their old order.
        for subscription in self._subscriptions.values():
            self._request(subscription)
        for pending in self._pending.values():
            self._deliver(pending)
        if not self._open.done():
            self._open.set_result(None)

    def _received(self, frame: Frame) -> None:
        match frame.type:
            case "data":
                if subscription := self._subscriptions.get(frame.id):
                    self._take(subscription, frame.event)
            case "publish_success":
                if pending := self._pending.get(frame.id):
                    pending.resolve(Published(frame.successful, frame.failed, frame.results))
            case "publish_error" | "error":
                if pending := self._pending.get(frame.id):
                    pending.fail(frame.refusal())
            case "subscribe_success":
                if subscription := self._subscriptions.get(frame.id):
                    subscription.agreed()
            case "subscribe_error":
                if subscription := self._subscriptions.get(frame.id):
                    self._denied(subscription, frame.refusal())

    def _denied(self, subscription: Subscription[Any], refusal: Refused) -> None:
        if subscription.begun and refusal.error_type not in FINAL:
            log.info("the subscription to %s is refused for now: %s", subscription.channel, refusal)
            again = asyncio.get_running_loop().call_later(
                pause(subscription.attempt, self._environment.chance, refusal.retry_after),
                self._request,
                subscription,
            )
            subscription.wait(again)
        else:
            del self._subscriptions[subscription.id]
            subscription.end(refusal)

    def _take(self, subscription: Subscription[Any], event: str) -> None:
        try:
            subscription.take(event)
        except ValueError as error:  # msgspec's errors are ValueErrors
            self._drop(subscription)
            subscription.end(ClientError(f"an event of {subscription.channel} is none: {error}"))

    def _lost(self) -> None:
        for subscription in self._subscriptions.values():
            subscription.calm()
        # What was sent twice already, or could count twice, is not sent again.
        for pending in self._pending.values():
            if pending.sent > (1 if pending.repeatable else 0):
                pending.fail(OutcomeUnknown("the connection was lost before the answer came"))

    async def _run(self) -> None:
        try:
            await self._link.run()
        except BaseException as error:
            # Even a mistake of our own must not leave anybody waiting.
            cancelled = isinstance(error, asyncio.CancelledError)
            self._finish(Closed("the client is closed") if cancelled else error)
            if not isinstance(error, ClientError):
                raise

    def _finish(self, end: BaseException) -> None:
        self._end = end
        for pending in self._pending.values():
            pending.fail(end)
        for subscription in list(self._subscriptions.values()):
            subscription.end(None if isinstance(end, Closed) else end)
        self._subscriptions.clear()
        if not self._open.done():
            self._open.set_exception(end)

    def _raise_if_ended(self) -> None:
        if self._task is None:
            raise Closed("the client is not open")
        if self._end is not None:
            raise self._end


class _Pending:
    """A publish that was not answered yet."""

    __slots__ = ("answer", "frame", "repeatable", "sent")

    def __init__(self, frame: Mapping[str, Any], *, repeatable: bool) -> None:
        self.frame = frame
        self.repeatable = repeatable
        self.sent = 0
        """How often it was sent."""
        self.answer: asyncio.Future[Published] = asyncio.get_running_loop().create_future()

    def resolve(self, published: Published) -> None:
        if not self.answer.done():
            self.answer.set_result(published)

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


def _unheard(_: State) -> None:
    """Nobody wants to know."""
