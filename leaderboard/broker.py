"""The broker: engine and hub joined by the beat. The only door to boards.

Down: a batch goes to the engine, the publisher is answered, and the engine says "changed". That only marks what is
due. Up: when its time has come, a board is read once for all views that are due, each view is encoded once, and the
frames go out in slices of about two milliseconds between which the loop serves everybody else. So a publish never pays
for its audience, and the cost of an audience does not grow with the number of publishers:

    changed -> Track.mark -> agenda (one timer per moment) -> engine.read -> a pass over the groups -> peers

A naive fan-out sends every publish to every subscriber: p publishes and s subscribers cost p*s frames. Here it is one
frame per subscriber and interval, whatever p is; and since a snapshot is whole, who missed some needs only the next.

Events of relay channels, and raw events of boards, are not conflated. They have a lane of their own, in order.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from leaderboard import channels, replies, snapshots
from leaderboard.engines import Batch, Engine, Outcome, Reading, Running, answer_of
from leaderboard.errors import LimitExceeded, Refusal, Unauthorized
from leaderboard.frames import Spliced
from leaderboard.hub import Group, Hub, Outlet, Peer, Room, Subscription
from leaderboard.masks import masked
from leaderboard.metrics import Metrics
from leaderboard.people import Person
from leaderboard.ranking import View
from leaderboard.rounds import Round
from leaderboard.settings import Namespace
from leaderboard.snapshots import Body

log = logging.getLogger(__name__)

SLICE = 0.002
"""Seconds of fan-out after which the loop gets its turn: below what anybody notices, above what a turn costs."""
CHUNK = 32
"""Deliveries between two looks at the clock: some hundred microseconds."""
VIEWS = 64
"""Views in one reading: about a millisecond where each is a reader's own."""
PRESENCE_PACE = 1.0
"""A change in who watches, alone, is shown once a second."""
PLAYING_PACE = 5.0
"""Who stops playing changes nothing else: while some play, a board that is watched is looked at so often."""
GRACE = 0.002
"""Seconds by which an alarm comes late: the loop's clock is as old as its turn, and one who is woken before the time
looks in vain and then waits for the next beat."""
PAGE = 500
"""Boards found at a time for a new wildcard subscriber."""

UNDER_WAY = 16 * 1024**2
"""Bytes of events on their way to subscribers beyond which no more are taken: a tenth of a second of writing."""

T = TypeVar("T")
Pass = Generator[None, None, None]
Lane = deque[Pass]


class Broker:
    """Boards for everyone in this process. `start` it on the loop that uses it; all else is called on that loop."""

    def __init__(
        self, engine: Engine, namespaces: Mapping[str, Namespace], metrics: Metrics | None = None
    ) -> None:
        self.hub = Hub()
        self.metrics = metrics or Metrics()
        self._engine = engine
        self.namespaces = namespaces
        self._loop: asyncio.AbstractEventLoop
        self._agenda: dict[float, list[Room]] = {}
        self._reads: deque[Callable[[], None]] = deque()
        self._passes: Lane = deque()
        self._relays: Lane = deque()
        self._under_way = 0
        self._alarms: dict[str, asyncio.TimerHandle] = {}
        self._held: dict[Outlet, None] | None = None
        self._working = False
        self._longest_pass = 0.0
        self.healthy = True
        """Whether all boards can be reached."""
        engine.changed = self._changed
        engine.relayed = self._relayed
        engine.watched = self._watched
        engine.health = self._health

    async def start(self) -> None:
        """Start the engine."""
        self._loop = asyncio.get_running_loop()
        await self._engine.start()

    async def stop(self) -> None:
        """Stop the engine."""
        await self._engine.stop()

    async def drain(self) -> None:
        """Send what is due without waiting for its beat: every subscriber ends with the newest snapshot."""
        now = self._loop.time()
        for room in list(self.hub.rooms.values()):
            room.hurry(now)
            self._plan(room)
        while self._agenda or self._reads or self._passes or self._relays:
            # What falls due from now on has nobody to wait for it: publishers have been turned away.
            if (
                not (self._reads or self._passes or self._relays)
                and min(self._agenda) > self._loop.time()
            ):
                return
            await asyncio.sleep(0)

    def rules(self, path: str) -> Namespace:
        """The rules of a channel's namespace; raises `Unauthorized` for one that does not exist, as AppSync does."""
        name = channels.namespace(path)
        rules = self.namespaces.get(name)
        if rules is None:
            raise Unauthorized(f"There is no namespace {name!r} here.")
        return rules

    def longest_pass(self) -> float:
        """Seconds of the longest pass since this was last asked."""
        longest, self._longest_pass = self._longest_pass, 0.0
        return longest

    # -- down ---------------------------------------------------------------------------------------------------------

    def apply(self, batch: Batch, done: Callable[[Outcome | Refusal], None]) -> None:
        """Apply events to a board; ``done`` as the engine promises."""
        if batch.texts and self._under_way > UNDER_WAY:
            done(_behind())
        else:
            self._engine.apply(batch, done)

    def relay(
        self, channel: str, events: Sequence[str], done: Callable[[Refusal | None], None]
    ) -> None:
        """Deliver events as they are to the subscribers of a relay channel."""
        if self._under_way > UNDER_WAY:
            done(_behind())
        else:
            self._engine.relay(channel, events, done)

    async def revoke(self, token_id: str, until: float) -> None:
        """Tell every process that a token is not good any more; raises what the engine refuses with."""
        refusal = await answer_of(partial(self._engine.revoke, token_id, until))
        if refusal is not None:
            raise refusal

    # -- reading, for the doors that await ----------------------------------------------------------------------------

    async def read(self, channel: str, view: View) -> Reading:
        """A board through one view, now; an absent one has epoch "" and no rows. Raises the engine's refusal."""
        room = self.hub.rooms.get(channel)
        floor = ("", 0) if room is None else room.floor
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
        room = self.hub.rooms.get(channel)
        return 0 if room is None else room.watching

    def _watching_here(self, channel: str) -> int:
        room = self.hub.rooms.get(channel)
        return 0 if room is None else len(room.connections)

    # -- subscriptions ------------------------------------------------------------------------------------------------

    def subscribe(self, subscription: Subscription) -> None:
        """Take a subscription in; raises `LimitExceeded`. Its first snapshot comes with `greet`, after the reply."""
        self.hub.add(subscription, self.rules(subscription.channel))
        if subscription.room is not None:
            self._presence(subscription.room)

    def greet(self, subscription: Subscription) -> None:
        """Send a new subscription what it asked to see."""
        if subscription.view is None:
            return
        if channels.is_wildcard(subscription.channel):
            self._find_all(subscription, after="")
        else:
            self._show(subscription, subscription.channel)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Let a subscription go."""
        room = subscription.room
        self.hub.remove(subscription)
        if room is not None:
            self._presence(room)

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
                self._start(self._passes, self._drain(subscription))
            else:
                subscription.come_back()
                self._show(subscription, subscription.channel)

    def _presence(self, room: Room) -> None:
        self._engine.watch(room.channel, len(room.connections))
        self._show_presence(room)

    def _show_presence(self, room: Room) -> None:
        room.presence.mark(self._loop.time(), PRESENCE_PACE)
        self._plan(room)

    def _watched(self, channel: str, elsewhere: int) -> None:
        room = self.hub.rooms.get(channel)
        if room is not None and room.elsewhere != elsewhere:
            room.elsewhere = elsewhere
            self._show_presence(room)

    def _health(self, healthy: bool) -> None:
        """The engine is away: what is shown is marked as stale. It is back: all may be another."""
        self.healthy = healthy
        for room in list(self.hub.rooms.values()):
            if healthy:
                self._changed(room.channel)
            self._show_presence(room)
        for subscription in self.hub.wildcards() if healthy else ():
            self._find_all(subscription, after="")

    def _find_all(self, subscription: Subscription, after: str) -> None:
        self._engine.find(subscription.channel, after, PAGE, partial(self._found, subscription))

    def _found(self, subscription: Subscription, running: list[Running] | Refusal) -> None:
        if isinstance(running, Refusal):
            return  # asked for again when the engine is back
        self._mark(subscription, (board.channel for board in running))
        if len(running) == PAGE:
            self._loop.call_soon(self._find_all, subscription, running[-1].channel)

    # -- the beat -----------------------------------------------------------------------------------------------------

    def _changed(self, channel: str) -> None:
        room = self.hub.rooms.get(channel)
        if room is not None and room.marked == self.hub.generation:
            room.stale()  # the rest has been done since the last pass: a publish costs the same however many watch
            return
        wild = self.hub.wild_paces(channel)
        if room is None and wild:
            room = self.hub.open_room(channel, self.rules(channel))
        if room is not None:
            room.stale()
            room.mark(self._loop.time(), wild)
            room.marked = self.hub.generation
            self._plan(room)

    def _set_alarm(self, channel: str, when: float) -> None:
        """Look at a board again when the clock changes it. A wake-up, no more: who looks first settles it."""
        alarm = self._alarms.get(channel)
        if alarm is not None:
            if alarm.when() == when:
                return
            alarm.cancel()
            del self._alarms[channel]
        if when != math.inf:
            self._alarms[channel] = self._loop.call_at(when, self._rouse, channel)

    def _rouse(self, channel: str) -> None:
        del self._alarms[channel]
        self._changed(channel)

    def _plan(self, room: Room) -> None:
        """See to it that the room is looked at when the first of it is due."""
        if room.passing:
            return  # the end of the pass plans the next: under load the interval stretches
        when = room.next()
        if when is None or (room.planned is not None and room.planned <= when):
            return
        room.planned = when
        if when in self._agenda:
            self._agenda[when].append(room)
            return
        self._agenda[when] = [room]
        if when <= self._loop.time():
            self._loop.call_soon(self._beat, when)  # behind the replies of what is being handled
        else:
            self._loop.call_at(when, self._beat, when)

    def _beat(self, when: float) -> None:
        for room in self._agenda.pop(when):
            if room.planned == when:
                room.planned = None
                room.passing = 1
                self._reads.append(partial(self._begin, room, when))
        self._work_soon()

    def _work_soon(self) -> None:
        if not self._working and (self._relays or self._passes or self._reads):
            self._working = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        """One slice: relays, the pass under way, and when there is none the next board that is due."""
        self._working = False
        end = self._loop.time() + SLICE
        while self._relays or self._passes or self._reads:
            if self._loop.time() >= end:
                self._work_soon()
                return
            if self._relays:
                _step(self._relays)
            if self._passes:
                _step(self._passes)
            elif self._reads:
                _run(self._reads.popleft())

    def _start(self, lane: Lane, job: Pass) -> None:
        lane.append(job)
        self._work_soon()

    # -- a pass -------------------------------------------------------------------------------------------------------

    def _begin(self, room: Room, when: float) -> None:
        """Take what is due, in parts small enough for one reading each."""
        room.marked = -1
        now = max(when, self._loop.time())
        # Who watches is told with a change, where one is due, and only else by itself.
        presence = room.presence.take(now, PRESENCE_PACE)
        groups = [
            group
            for group in room.groups.values()
            if group.take(now, room.pace(group)) or (presence and not group.due)
        ]
        wild = [
            every for every, track in room.wild.items() if track.take(now, room.wild_pace(every))
        ]
        for subscription in list(self.hub.wild(room.channel, wild)):
            self._mark(subscription, (room.channel,))
        for start in range(0, len(groups), VIEWS):
            room.passing += 1
            part = groups[start : start + VIEWS]
            self._reads.appendleft(partial(self._look, room, part, self._loop.time()))
        self._ended(room)

    def _look(self, room: Room, groups: list[Group], began: float) -> None:
        """Read the views that are not encoded as the board now is; send all of them when they are."""
        bodies = {
            group.view: room.bodies[group.view] for group in groups if group.view in room.bodies
        }
        missing = list(dict.fromkeys(group.view for group in groups if group.view not in bodies))

        def fan_out(found: Mapping[View, Body]) -> None:
            job = self._fan_out(room, groups, {**bodies, **found}, began)
            self._start(self._passes, job)

        if not missing:
            fan_out({})
        else:
            self._encode(room, missing, fan_out, partial(self._show_last, room, groups, began))

    def _show_last(self, room: Room, groups: list[Group], began: float) -> None:
        """The board cannot be read: what was seen last is shown once more, which says now that it is stale."""
        bodies = {group.view: group.body for group in groups if group.body is not None}
        seen = [group for group in groups if group.view in bodies]
        self._start(self._passes, self._fan_out(room, seen, bodies, began))

    def _encode(
        self,
        room: Room,
        views: list[View],
        done: Callable[[Mapping[View, Body]], None],
        failed: Callable[[], None],
    ) -> None:
        """Read a board through views and encode them; what many can share is kept until the board changes.

        If the engine failed: nobody is told of a board what cannot be read, until it changes again or can be reached.
        """
        revision = room.revision

        def encoded(reading: Reading | Refusal) -> None:
            if isinstance(reading, Refusal):
                failed()
                return
            room.elsewhere = reading.elsewhere
            room.clock = reading.now - self._loop.time()
            room.floor = (reading.epoch, reading.version)
            room.round, room.playing = reading.round, reading.playing
            due = reading.due
            if reading.playing and room.groups:
                due = min(due, reading.now + PLAYING_PACE)
            self._set_alarm(room.channel, due - room.clock + GRACE)
            bodies = dict(snapshots.bodies(masked(reading)))
            if room.revision == revision:
                room.bodies.update(
                    (view, body) for view, body in bodies.items() if not view.personal
                )
            done(bodies)

        try:
            self._engine.read(room.channel, room.rules, views, room.floor, encoded)
        except Exception:
            log.exception("%s could not be read", room.channel)
            failed()

    def _stamp(self, room: Room, body: Body) -> object:
        """What tells a snapshot from others; the time alone is nothing new."""
        reached = self._engine.reaches(room.channel)
        return (
            *(room.channel, body.epoch, body.version, body.state),
            *(room.watching, room.playing, reached),
        )

    def _live(self, room: Room) -> str:
        now = self._loop.time() + room.clock
        moment = snapshots.moment(now, room.round, room.playing, room.watching)
        if not self._engine.reaches(room.channel):
            moment.stale = True
        return snapshots.live(moment)

    def _fan_out(
        self, room: Room, groups: list[Group], bodies: Mapping[View, Body], began: float
    ) -> Pass:
        """Send each group its body, pausing where others may have their turn."""
        try:
            # Where more boards are due, frames are held, so that a connection gets all of them in one write.
            held = self._hold() if self._reads or len(self._passes) > 1 else None
            live = self._live(room)
            stamps = [self._stamp(room, bodies[group.view]) for group in groups]
            for group, stamp in zip(groups, stamps, strict=True):
                group.body = body = bodies[group.view]
                end = snapshots.shared(body.text, live)
                mine = group.begin(body.epoch, stamp)
                if mine is not None:
                    self._count_skipped(room.channel, group.away)
                    yield from self._to_members(room, group, Spliced(mine + end), held)
                    group.end(body.epoch)
                for subscription in list(group.apart):
                    sent = subscription.deliver(room.channel, body.epoch, stamp, end)
                    self._count_sent(room.channel, int(sent > 0), sent)
                    group.take_in(subscription)
                yield
            self._longest_pass = max(self._longest_pass, self._loop.time() - began)
        finally:
            self._ended(room)

    def _to_members(
        self, room: Room, group: Group, frames: Spliced, held: dict[Outlet, None] | None
    ) -> Pass:
        """The innermost loop: one write per member."""
        members = group.members
        everyone = list(members)
        count = len(everyone)
        sent = size = 0
        for start in range(0, len(everyone), CHUNK):
            for subscription in everyone[start : start + CHUNK]:
                # None joins meanwhile, but some may leave.
                if len(members) == count or subscription in members:
                    frame = frames[subscription.prefix]
                    if held is None:
                        write = subscription.door.write  # a slot: found faster than a method
                        write(frame)
                    else:
                        subscription.door.hold(frame)
                        held[subscription.door] = None
                    sent += 1
                    size += len(frame)
            yield
        self._count_sent(room.channel, sent, size)

    def _hold(self) -> dict[Outlet, None]:
        """The connections that hold frames; they are flushed behind all that is due now."""
        if self._held is None:
            self._held = {}
            self._reads.append(lambda: self._start(self._passes, self._flush()))
        return self._held

    def _flush(self) -> Pass:
        held, self._held = self._held or {}, None
        for count, door in enumerate(held, 1):
            door.flush()
            if count % CHUNK == 0:
                yield

    def _ended(self, room: Room) -> None:
        """A part of a pass has ended; with the last of them, see what has become due meanwhile."""
        room.passing -= 1
        if room.passing:
            return
        self._plan(room)
        if not room.connections and room.next() is None:
            # Kept for an interval, so that a wildcard's subscribers are sent it no more often than others.
            pace = room.wild_pace(max(room.wild, default=1))
            self._loop.call_later(pace, self.hub.close_room, room)

    def _show(self, subscription: Subscription, channel: str) -> None:
        """Send one subscriber the newest snapshot of a board."""
        view = subscription.view
        if view is None:
            return
        known = channel in self.hub.rooms
        room = self.hub.open_room(channel, self.rules(channel))

        def show(bodies: Mapping[View, Body]) -> None:
            body = bodies[view]
            stamp = self._stamp(room, body)
            shared = snapshots.shared(body.text, self._live(room))
            sent = subscription.deliver(channel, body.epoch, stamp, shared)
            self._count_sent(channel, int(sent > 0), sent)
            if not known:
                self.hub.close_room(room)

        if view in room.bodies:
            show(room.bodies)
        elif known:
            self._encode(room, [view], show, _nothing)
        else:
            self._encode(room, [view], show, partial(self.hub.close_room, room))

    def _mark(self, subscription: Subscription, boards: Iterable[str]) -> None:
        """Boards are due to a wildcard's subscriber: a mark each, the least recently sent first."""
        due = subscription.due
        if due is None:
            return
        idle = not due
        due.update(dict.fromkeys(boards))
        if due and idle:
            self._start(self._passes, self._drain(subscription))

    def _drain(self, subscription: Subscription) -> Pass:
        """Send a wildcard's subscriber the boards that are due to it, while it can take them."""
        due = subscription.due
        while due and subscription.open:
            if subscription.door.congested:
                subscription.leave()
                return
            channel = next(iter(due))
            del due[channel]
            self._show(subscription, channel)
            yield

    # -- relay --------------------------------------------------------------------------------------------------------

    def _relayed(self, channel: str, events: Sequence[str], private: bool) -> None:
        subscriptions = self.hub.raw(channel, hosts=private)
        if subscriptions:
            ends = [replies.shared_event(event) for event in events]
            # What a relay that waits keeps: the events, and who is to have them.
            weight = sum(map(len, ends)) + 8 * len(subscriptions)
            self._under_way += weight
            job = self._deliver_events(channel, subscriptions, ends, weight)
            self._start(self._relays, job)

    def _deliver_events(
        self, channel: str, subscriptions: list[Subscription], ends: list[bytes], weight: int
    ) -> Pass:
        try:
            frames = [Spliced(end) for end in ends]
            size = reached = 0
            for count, subscription in enumerate(subscriptions, 1):
                if subscription.open:  # it may have ended since, and its id be another's
                    reached += 1
                    for each in frames:
                        frame = each[subscription.prefix]
                        subscription.peer.relay(frame)
                        size += len(frame)
                if count % CHUNK == 0:
                    yield
            self._count_sent(channel, reached * len(frames), size)
            yield
        finally:
            self._under_way -= weight

    def _count_skipped(self, channel: str, count: int) -> None:
        if count:
            self.metrics.count("SkippedSnapshots", channels.namespace(channel), count)

    def _count_sent(self, channel: str, frames: int, size: int) -> None:
        if frames:
            namespace = channels.namespace(channel)
            self.metrics.count("BroadcastEventSuccess", namespace, frames)
            self.metrics.count("BroadcastEventSize", namespace, size)


def _step(lane: Lane) -> None:
    try:
        next(lane[0])
    except StopIteration:
        lane.popleft()
    except Exception:
        log.exception("a pass failed")  # one broken pass must not end the fan-out for all
        lane.popleft()


def _run(job: Callable[[], None]) -> None:
    try:
        job()
    except Exception:
        log.exception("a board could not be looked at")  # nor must one broken board


def _told(answer: T | Refusal) -> T:
    """What was asked for; raises the refusal."""
    if isinstance(answer, Refusal):
        raise answer
    return answer


def _nothing() -> None:
    """Nothing is to be done."""


def _behind() -> Refusal:
    return LimitExceeded("Too many events are on their way to subscribers; publish again later")
