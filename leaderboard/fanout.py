"""The fan-out: what of a board is due to whom is read once, encoded once per view, and sent in slices.

A change only marks what is due. When its time has come, a board is read once for all views that are due, each view is
encoded once, and the frames go out in `lanes` that let everybody else have their turn. So a publish never pays for its
audience, and the cost of an audience does not grow with the number of publishers:

    changed -> Track.mark -> agenda (one timer per moment) -> engine.read -> a pass over the groups -> peers

A naive fan-out sends every publish to every subscriber: p publishes and s subscribers cost p*s frames. Here it is one
frame per subscriber and interval, whatever p is; and since a snapshot is whole, who missed some needs only the next.

Longer than most: it is that one path, and reads in its order. What the path uses has rooms of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from leaderboard import channels, snapshots
from leaderboard.agenda import Agenda
from leaderboard.audience import Audience, Group, Outlet, Subscription
from leaderboard.engines import Engine, Reading
from leaderboard.errors import Refusal
from leaderboard.frames import Spliced
from leaderboard.hub import Hub
from leaderboard.lanes import CHUNK, Lanes, Pass
from leaderboard.masks import masked
from leaderboard.metrics import Metrics
from leaderboard.ranking import View
from leaderboard.settings import Namespace
from leaderboard.snapshots import Body

log = logging.getLogger(__name__)

VIEWS = 64
"""Views in one reading: about a millisecond where each is a reader's own."""
PRESENCE_PACE = 1.0
"""A change in who watches, alone, is shown once a second."""
PLAYING_PACE = 5.0
"""Who stops playing changes nothing else: while some play, a board that is watched is looked at so often."""
GRACE = 0.002
"""Seconds by which an alarm comes late: the loop's clock is as old as its turn, and one who is woken before the time
looks in vain and then waits for the next beat."""


class FanOut:
    """Snapshots of all boards to the subscribers of this process; ``rules`` tells those of a channel."""

    def __init__(
        self,
        engine: Engine,
        hub: Hub,
        lanes: Lanes,
        metrics: Metrics,
        rules: Callable[[str], Namespace],
    ) -> None:
        self._engine = engine
        self._hub = hub
        self._lanes = lanes
        self._metrics = metrics
        self._rules = rules
        self._agenda = Agenda(self._look, self.changed)
        self._loop: asyncio.AbstractEventLoop
        self._held: dict[Outlet, None] | None = None
        self._longest_pass = 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send on this loop, on which everything here is called."""
        self._loop = loop
        self._agenda.start(loop)

    def longest_pass(self) -> float:
        """Seconds of the longest pass since this was last asked."""
        longest, self._longest_pass = self._longest_pass, 0.0
        return longest

    # -- what is due --------------------------------------------------------------------------------------------------

    def changed(self, channel: str) -> None:
        """A board is not what it was: it is due to all who watch it."""
        audience = self._hub.audiences.get(channel)
        if audience is not None and audience.marked == self._hub.generation:
            audience.stale()  # the rest has been done since the last pass: a publish costs the same however many watch
            return
        wild = self._hub.wild_paces(channel)
        if audience is None and wild:
            audience = self._hub.open(channel, self._rules(channel))
        if audience is not None:
            audience.stale()
            audience.mark(self._loop.time(), wild)
            audience.marked = self._hub.generation
            self._agenda.plan(audience)

    def presence_changed(self, audience: Audience) -> None:
        """Who watches, or whether the board can be reached, is not what it was."""
        audience.presence.mark(self._loop.time(), PRESENCE_PACE)
        self._agenda.plan(audience)

    def hurry(self) -> None:
        """Whatever is due is due now."""
        now = self._loop.time()
        for audience in list(self._hub.audiences.values()):
            audience.hurry(now)
            self._agenda.plan(audience)

    @property
    def owes(self) -> bool:
        """Whether anything is due by now."""
        return self._agenda.first <= self._loop.time()

    def mark(self, subscription: Subscription, boards: Iterable[str]) -> None:
        """Boards are due to a wildcard's subscriber: a mark each, the least recently sent first."""
        due = subscription.due
        if due is None:
            return
        idle = not due
        due.update(dict.fromkeys(boards))
        if due and idle:
            self.drain(subscription)

    # -- a pass -------------------------------------------------------------------------------------------------------

    def _look(self, audience: Audience, when: float) -> None:
        audience.passing = 1
        self._lanes.add(partial(self._begin, audience, when))

    def _begin(self, audience: Audience, when: float) -> None:
        """Take what is due, in parts small enough for one reading each."""
        audience.marked = -1
        now = max(when, self._loop.time())
        # Who watches is told with a change, where one is due, and only else by itself.
        presence = audience.presence.take(now, PRESENCE_PACE)
        groups = [
            group
            for group in audience.groups.values()
            if group.take(now, audience.pace(group)) or (presence and not group.due)
        ]
        wild = [
            every
            for every, track in audience.wild.items()
            if track.take(now, audience.wild_pace(every))
        ]
        for subscription in list(self._hub.wild(audience.channel, wild)):
            self.mark(subscription, (audience.channel,))
        for start in range(0, len(groups), VIEWS):
            audience.passing += 1
            part = groups[start : start + VIEWS]
            self._lanes.add_first(partial(self._read, audience, part, self._loop.time()))
        self._ended(audience)

    def _read(self, audience: Audience, groups: list[Group], began: float) -> None:
        """Read the views that are not encoded as the board now is; send all of them when they are."""
        known = audience.bodies
        bodies = {group.view: known[group.view] for group in groups if group.view in known}
        missing = list(dict.fromkeys(group.view for group in groups if group.view not in bodies))

        def fan_out(found: Mapping[View, Body]) -> None:
            self._lanes.start_pass(self._pass(audience, groups, {**bodies, **found}, began))

        if not missing:
            fan_out({})
        else:
            self._encode(
                audience, missing, fan_out, partial(self._show_last, audience, groups, began)
            )

    def _show_last(self, audience: Audience, groups: list[Group], began: float) -> None:
        """The board cannot be read: what was seen last is shown once more, which says now that it is stale."""
        bodies = {group.view: group.body for group in groups if group.body is not None}
        seen = [group for group in groups if group.view in bodies]
        self._lanes.start_pass(self._pass(audience, seen, bodies, began))

    def _encode(
        self,
        audience: Audience,
        views: list[View],
        done: Callable[[Mapping[View, Body]], None],
        failed: Callable[[], None],
    ) -> None:
        """Read a board through views and encode them; what many can share is kept until the board changes.

        If the engine failed: nobody is told of a board what cannot be read, until it changes again or can be reached.
        """
        revision = audience.revision

        def encoded(reading: Reading | Refusal) -> None:
            if isinstance(reading, Refusal):
                failed()
                return
            audience.elsewhere = reading.elsewhere
            audience.clock = reading.now - self._loop.time()
            audience.floor = (reading.epoch, reading.version)
            audience.round, audience.playing = reading.round, reading.playing
            due = reading.due
            if reading.playing and audience.groups:
                due = min(due, reading.now + PLAYING_PACE)
            self._agenda.set_alarm(audience.channel, due - audience.clock + GRACE)
            bodies = dict(snapshots.bodies(masked(reading)))
            if audience.revision == revision:
                audience.bodies.update(
                    (view, body) for view, body in bodies.items() if not view.personal
                )
            done(bodies)

        try:
            self._engine.read(audience.channel, audience.rules, views, audience.floor, encoded)
        except Exception:
            log.exception("%s could not be read", audience.channel)
            failed()

    def _stamp(self, audience: Audience, body: Body) -> object:
        """What tells a snapshot from others; the time alone is nothing new."""
        reached = self._engine.reaches(audience.channel)
        return (
            *(audience.channel, body.epoch, body.version, body.state),
            *(audience.watching, audience.playing, reached),
        )

    def _live(self, audience: Audience) -> str:
        now = self._loop.time() + audience.clock
        moment = snapshots.moment(now, audience.round, audience.playing, audience.watching)
        if not self._engine.reaches(audience.channel):
            moment.stale = True
        return snapshots.live(moment)

    def _pass(
        self, audience: Audience, groups: list[Group], bodies: Mapping[View, Body], began: float
    ) -> Pass:
        """Send each group its body, pausing where others may have their turn."""
        try:
            # Where more boards are due, frames are held, so that a connection gets all of them in one write.
            held = self._hold() if self._lanes.crowded else None
            live = self._live(audience)
            stamps = [self._stamp(audience, bodies[group.view]) for group in groups]
            for group, stamp in zip(groups, stamps, strict=True):
                group.body = body = bodies[group.view]
                end = snapshots.shared(body.text, live)
                mine = group.begin(body.epoch, stamp)
                if mine is not None:
                    self._count_skipped(audience.channel, group.away)
                    yield from self._to_members(audience, group, Spliced(mine + end), held)
                    group.end(body.epoch)
                for subscription in list(group.apart):
                    if subscription.knows_newer(body):
                        continue  # it has just come (back): what is newer was shown, or is being read
                    sent = subscription.deliver(audience.channel, body.epoch, stamp, end)
                    self._count_sent(audience.channel, int(sent > 0), sent)
                    group.take_in(subscription)
                yield
            self._longest_pass = max(self._longest_pass, self._loop.time() - began)
        finally:
            self._ended(audience)

    def _to_members(
        self, audience: Audience, group: Group, frames: Spliced, held: dict[Outlet, None] | None
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
        self._count_sent(audience.channel, sent, size)

    def _hold(self) -> dict[Outlet, None]:
        """The connections that hold frames; they are flushed behind all that is due now."""
        if self._held is None:
            self._held = {}
            self._lanes.add(lambda: self._lanes.start_pass(self._flush()))
        return self._held

    def _flush(self) -> Pass:
        held, self._held = self._held or {}, None
        for count, door in enumerate(held, 1):
            door.flush()
            if count % CHUNK == 0:
                yield

    def _ended(self, audience: Audience) -> None:
        """A part of a pass has ended; with the last of them, see what has become due meanwhile."""
        audience.passing -= 1
        if audience.passing:
            return
        self._agenda.plan(audience)
        if not audience.connections and audience.next() is None:
            # Kept for an interval, so that a wildcard's subscribers are sent it no more often than others.
            pace = audience.wild_pace(max(audience.wild, default=1))
            self._loop.call_later(pace, self._hub.close, audience)

    # -- to one -------------------------------------------------------------------------------------------------------

    def show(self, subscription: Subscription, channel: str) -> None:
        """Send one subscriber the newest snapshot of a board."""
        view = subscription.view
        if view is None:
            return
        known = channel in self._hub.audiences
        audience = self._hub.open(channel, self._rules(channel))

        def show(bodies: Mapping[View, Body]) -> None:
            body = bodies[view]
            stamp = self._stamp(audience, body)
            shared = snapshots.shared(body.text, self._live(audience))
            sent = subscription.deliver(channel, body.epoch, stamp, shared)
            if subscription.due is None:  # what a wildcard knows is of no one board
                subscription.known = body.version
            if subscription.group is not None:
                subscription.group.saw(body)
            self._count_sent(channel, int(sent > 0), sent)
            if not known:
                self._hub.close(audience)

        if view in audience.bodies and subscription.knows_newer(audience.bodies[view]):
            audience.stale()  # another process has shown it what this one has not heard of yet
        if view in audience.bodies:
            show(audience.bodies)
        elif known:
            self._encode(audience, [view], show, _nothing)
        else:
            self._encode(audience, [view], show, partial(self._hub.close, audience))

    def drain(self, subscription: Subscription) -> None:
        """Send a wildcard's subscriber the boards that are due to it, while it can take them."""
        self._lanes.start_pass(self._drain(subscription))

    def _drain(self, subscription: Subscription) -> Pass:
        due = subscription.due
        while due and subscription.open:
            if subscription.door.congested:
                subscription.leave()
                return
            channel = next(iter(due))
            del due[channel]
            self.show(subscription, channel)
            yield

    def _count_skipped(self, channel: str, count: int) -> None:
        if count:
            self._metrics.count("SkippedSnapshots", channels.namespace(channel), count)

    def _count_sent(self, channel: str, frames: int, size: int) -> None:
        self._metrics.count_sent(channels.namespace(channel), frames, size)


def _nothing() -> None:
    """Nothing is to be done."""
