"""The broker: engine and hub joined. The only door to boards.

Down: a batch goes to the engine, the publisher is answered, and the engine says "changed". Up: the `fanout` sends what
is due of a board to those who watch it here. Events of relay channels, and raw events of boards, go up as they came
(`relays`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from leaderboard import channels, snapshots
from leaderboard.allowances import Allowances
from leaderboard.audience import Audience, Peer, Subscription
from leaderboard.engines import Batch, Engine, Outcome, Reading, Running, answer_of
from leaderboard.errors import Refusal, Unauthorized
from leaderboard.fanout import FanOut
from leaderboard.hub import Hub
from leaderboard.lanes import Lanes
from leaderboard.masks import masked
from leaderboard.metrics import Metrics
from leaderboard.people import Person
from leaderboard.ranking import View
from leaderboard.relays import Relays, too_many
from leaderboard.rounds import Round
from leaderboard.settings import Namespace

PAGE = 500
"""Boards found at a time for a new wildcard subscriber."""

T = TypeVar("T")


class Broker:
    """Boards for everyone in this process. `start` it on the loop that uses it; all else is called on that loop."""

    def __init__(
        self, engine: Engine, namespaces: Mapping[str, Namespace], metrics: Metrics | None = None
    ) -> None:
        self.hub = Hub()
        self.metrics = metrics or Metrics()
        self.namespaces = namespaces
        self.healthy = True
        """Whether all boards can be reached."""
        self._engine = engine
        self._loop: asyncio.AbstractEventLoop
        self._lanes = Lanes()
        self._fanout = FanOut(engine, self.hub, self._lanes, self.metrics, self.rules)
        self._relays = Relays(self.hub, self._lanes, self.metrics)
        engine.changed = self._fanout.changed
        engine.relayed = self._relays.deliver
        engine.watched = self._watched
        engine.health = self._health

    async def start(self) -> None:
        """Start the engine."""
        self._loop = asyncio.get_running_loop()
        self._lanes.start(self._loop)
        self._fanout.start(self._loop)
        await self._engine.start()

    async def stop(self) -> None:
        """Stop the engine."""
        await self._engine.stop()

    async def drain(self) -> None:
        """Send what is due without waiting for its beat: every subscriber ends with the newest snapshot."""
        self._fanout.hurry()
        # What falls due from now on has nobody to wait for it: publishers have been turned away.
        while self._fanout.owes or not self._lanes.empty:  # noqa: ASYNC110, each turn does a part of it
            await asyncio.sleep(0)

    def rules(self, path: str) -> Namespace:
        """The rules of a channel's namespace; raises `Unauthorized` for one that does not exist, as AppSync does."""
        name = channels.namespace(path)
        rules = self.namespaces.get(name)
        if rules is None:
            raise Unauthorized(f"There is no namespace {name!r} here.")
        return rules

    def longest_pass(self) -> float:
        """Seconds of the longest pass of the fan-out since this was last asked."""
        return self._fanout.longest_pass()

    # -- down ---------------------------------------------------------------------------------------------------------

    def apply(self, batch: Batch, done: Callable[[Outcome | Refusal], None]) -> None:
        """Apply events to a board; ``done`` as the engine promises."""
        if batch.texts and self._relays.full:
            done(too_many())
        else:
            self._engine.apply(batch, done)

    def relay(
        self, channel: str, events: Sequence[str], done: Callable[[Refusal | None], None]
    ) -> None:
        """Deliver events as they are to the subscribers of a relay channel."""
        if self._relays.full:
            done(too_many())
        else:
            self._engine.relay(channel, events, done)

    async def revoke(self, token_id: str, until: float) -> None:
        """Tell every process that a token is not good any more; raises what the engine refuses with."""
        refusal = await answer_of(partial(self._engine.revoke, token_id, until))
        if refusal is not None:
            raise refusal

    def allowances(self, what: str) -> Allowances:
        """Rates that all processes share."""
        return Allowances(self._engine, what, time.monotonic)

    async def lead(self, name: str, seconds: float) -> bool:
        """Whether it is for this process to do, for so long, what a name stands for; 0 = nobody need any more."""
        led: bool = _told(await answer_of(partial(self._engine.lead, name, seconds)))
        return led

    async def unled(self) -> list[str]:
        """Names of what a process did for all that is gone."""
        return _told(await answer_of(self._engine.unled))

    async def keep(self, text_id: str, text: str | None, ends: float, most: int) -> bool:
        """Keep a text for all processes until it ends, None = no longer; False where there are as many as may be."""
        room: bool = _told(await answer_of(partial(self._engine.keep, text_id, text, ends, most)))
        return room

    async def kept(self) -> list[str]:
        """All texts that are kept."""
        return _told(await answer_of(self._engine.kept))

    # -- reading, for the doors that await ----------------------------------------------------------------------------

    async def read(self, channel: str, view: View) -> Reading:
        """A board through one view, now; an absent one has epoch "" and no rows. Raises the engine's refusal."""
        audience = self.hub.audiences.get(channel)
        floor = ("", 0) if audience is None else audience.floor
        read = partial(self._engine.read, channel, self.rules(channel), [view], floor)
        return masked(_told(await answer_of(read)))

    async def snapshot(self, channel: str, view: View) -> str:
        """The JSON text of a board's snapshot through a view."""
        return self.render(await self.read(channel, view))

    def render(self, reading: Reading) -> str:
        """The JSON text of a snapshot of what was read, through the first of its views."""
        view, body = next(snapshots.bodies(reading))
        # A past round is over: what the present one waits for is none of its members.
        round = reading.round if view.round in (None, reading.round.number) else Round()
        watching = self._watching_here(reading.channel) + reading.elsewhere
        moment = snapshots.moment(reading.now, round, reading.playing, watching)
        return snapshots.snapshot(body.text, snapshots.live(moment))

    async def people(self, channel: str, prefix: str, limit: int) -> list[Person]:
        """Players of a board whose name or id begins so, as a host sees them."""
        return _told(await answer_of(partial(self._engine.people, channel, prefix, limit)))

    async def boards(self, pattern: str, after: str = "", limit: int = 100) -> list[Running]:
        """Running boards that a credential pattern covers, by path, from behind ``after`` on."""
        return _told(await answer_of(partial(self._engine.find, pattern, after, limit)))

    def watching(self, channel: str) -> int:
        """Connections that subscribe to exactly this channel, as far as is known here."""
        audience = self.hub.audiences.get(channel)
        return 0 if audience is None else audience.watching

    def _watching_here(self, channel: str) -> int:
        audience = self.hub.audiences.get(channel)
        return 0 if audience is None else len(audience.connections)

    # -- subscriptions ------------------------------------------------------------------------------------------------

    def subscribe(self, subscription: Subscription) -> None:
        """Take a subscription in; raises `LimitExceeded`. Its first snapshot comes with `greet`, after the reply."""
        self.hub.add(subscription, self.rules(subscription.channel))
        if subscription.audience is not None:
            self._tell_presence(subscription.audience)

    def greet(self, subscription: Subscription) -> None:
        """Send a new subscription what it asked to see."""
        if subscription.view is None:
            return
        if channels.is_wildcard(subscription.channel):
            self._find_all(subscription, after="")
        else:
            self._fanout.show(subscription, subscription.channel)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Let a subscription go."""
        audience = subscription.audience
        self.hub.remove(subscription)
        if audience is not None:
            self._tell_presence(audience)

    def pause(self, subscriptions: Iterable[Subscription]) -> None:
        """A connection is congested: its subscriptions leave the fan-out."""
        for subscription in subscriptions:
            if subscription.view is not None:
                subscription.leave()

    def resume(self, peer: Peer) -> None:
        """It is not any more: its subscriptions come back, and get the newest of what they missed."""
        waiting = list(peer.waiting)
        peer.waiting.clear()
        for subscription in waiting:
            if subscription.due is not None:
                self._fanout.drain(subscription)
            else:
                subscription.come_back()
                self._fanout.show(subscription, subscription.channel)

    def _tell_presence(self, audience: Audience) -> None:
        self._engine.watch(audience.channel, len(audience.connections))
        self._fanout.presence_changed(audience)

    def _watched(self, channel: str, elsewhere: int) -> None:
        audience = self.hub.audiences.get(channel)
        if audience is not None and audience.elsewhere != elsewhere:
            audience.elsewhere = elsewhere
            self._fanout.presence_changed(audience)

    def _health(self, healthy: bool) -> None:
        """The engine is away: what is shown is marked as stale. It is back: all may be another."""
        self.healthy = healthy
        for audience in list(self.hub.audiences.values()):
            if healthy:
                self._fanout.changed(audience.channel)
            self._fanout.presence_changed(audience)
        for subscription in self.hub.wildcards() if healthy else ():
            self._find_all(subscription, after="")

    def _find_all(self, subscription: Subscription, after: str) -> None:
        self._engine.find(subscription.channel, after, PAGE, partial(self._found, subscription))

    def _found(self, subscription: Subscription, running: list[Running] | Refusal) -> None:
        if isinstance(running, Refusal):
            return  # asked for again when the engine is back
        self._fanout.mark(subscription, (board.channel for board in running))
        if len(running) == PAGE:
            self._loop.call_soon(self._find_all, subscription, running[-1].channel)


def _told(answer: T | Refusal) -> T:
    """What was asked for; raises the refusal."""
    if isinstance(answer, Refusal):
        raise answer
    return answer
