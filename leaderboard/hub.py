"""Local subscribers: who wants which view of what, and what each was sent last. No network, no clock, no await.

A `Room` holds what this process knows of one channel: its exact subscribers in groups that share a view and a pace, who
is connected to it, and the encoded bodies of its present version. Wildcard subscribers stand beside the rooms, by
pattern, and keep a mark per board that is due to them, never its bytes. So a subscription holds at most one pending
snapshot, and that one is the newest by construction: it is encoded when its turn comes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from leaderboard import channels
from leaderboard.errors import LimitExceeded
from leaderboard.frames import Spliced
from leaderboard.ranking import View
from leaderboard.replies import data_prefix, escape
from leaderboard.rounds import Round
from leaderboard.settings import Namespace
from leaderboard.snapshots import Body, own, snapshot_prefix

MAX_PERSONAL = 1000
"""Personal views (`around`, `of`) of one board in one process: each is read and encoded for a single reader."""
MANY_PERSONAL = 100
"""Beyond so many, personal views are served at `PERSONAL_PACE`."""
PERSONAL_PACE = 0.25


K = TypeVar("K", str, int)


class Outlet(Protocol):
    """Where the frames of a connection go. They come ready to be written, header and all."""

    @property
    def congested(self) -> bool:
        """What was sent has not left: snapshots pass by until it has."""

    def write(self, frame: bytes) -> None:
        """Send a frame."""

    def hold(self, frame: bytes) -> None:
        """Keep a frame for the `flush` that the caller owes, so that several leave in one write."""

    def flush(self) -> None:
        """Write what is held."""


class Peer(Protocol):
    """What the hub knows of a connection."""

    waiting: dict[Subscription, None]
    """Subscriptions that have left the room because the connection is congested."""

    @property
    def door(self) -> Outlet:
        """Where its frames go."""

    def relay(self, frame: bytes) -> None:
        """Send, or queue up to the connection's backlog, an event that must not be conflated."""


class Subscription:
    """One ``subscribe``: what it shows, and what it has shown.

    ``view`` is None for events as they come; a ``host`` gets those too that are kept from others. What was shown last
    is noted here only for those who are served singly (see `Group`): ``stamp`` tells that snapshot from others, and
    ``epoch`` is the last life of the board that was seen.
    """

    __slots__ = (
        "channel",
        "door",
        "due",
        "epoch",
        "epochs",
        "every",
        "group",
        "host",
        "id",
        "left",
        "open",
        "peer",
        "prefix",
        "room",
        "skipped",
        "stamp",
        "view",
    )

    def __init__(
        self,
        peer: Peer,
        id: str,  # noqa: A002
        channel: str,
        view: View | None,
        every: int = 1,
        since: str = "",
        *,
        host: bool = False,
    ) -> None:
        self.peer = peer
        self.door = peer.door
        self.id = id
        self.channel = channel
        self.view = view
        self.every = every
        self.host = host
        self.prefix = snapshot_prefix(id) if view is not None else data_prefix(id)
        self.room: Room | None = None
        self.group: Group | None = None
        self.open = False
        self.stamp: object = None
        self.epoch = since
        self.skipped = 0
        self.left = 0
        """Which pass of its group was the last before it left."""
        self.due: dict[str, None] | None = None
        """Boards that a wildcard has to send, the least recently marked first."""
        self.epochs: dict[str, str] | None = None
        """A wildcard's last epoch sent, by board."""
        if channels.is_wildcard(channel):
            self.due, self.epochs = {}, {}

    def deliver(self, channel: str, epoch: str, stamp: object, end: bytes) -> int:
        """Send this subscriber alone a snapshot, unless it has it or cannot take it; the bytes sent, 0 for none.

        ``end`` is the end of the frame, the same for all who share the view; ``stamp`` tells this snapshot from others.
        """
        if stamp == self.stamp or not self.open:
            return 0
        if self.door.congested:
            self.leave()
            if self.due is not None:
                self.due[channel] = None
            return 0
        reset = self._resets(channel, epoch)
        if reset or self.skipped:
            end = escape(own(reset=reset, skipped=self.skipped)) + end
            self.skipped = 0
        self.stamp = stamp
        frame = Spliced(end)[self.prefix]
        self.door.write(frame)
        return len(frame)

    def _resets(self, channel: str, epoch: str) -> bool:
        """Whether this is another life of the board than the last one shown."""
        if self.epochs is None:
            known = self.epoch
            self.epoch = epoch or known
        else:
            known = self.epochs.get(channel, "")
            if epoch:
                self.epochs[channel] = epoch
            else:
                self.epochs.pop(channel, None)  # a wildcard need not remember boards that are gone
        return known not in ("", epoch)

    def leave(self) -> None:
        """Leave the room until the connection has room again: no pass looks at a congested connection."""
        group = self.group
        if group is not None and self in group.members:
            del group.members[self]
            self.epoch, self.stamp, self.left = group.epoch, None, group.passes
        elif group is not None and self in group.apart:
            del group.apart[self]
            self.left = group.passes
        self.peer.waiting[self] = None

    def come_back(self) -> None:
        """Be served again, singly at first."""
        if self.group is not None:
            self.skipped += self.group.passes - self.left
            self.group.apart[self] = None


class Track:
    """When something of a board is due: ``next`` says when, ``sent`` when it was sent last (loop time)."""

    __slots__ = ("due", "next", "sent")

    def __init__(self) -> None:
        self.due = False
        self.next = 0.0
        self.sent = float("-inf")

    def mark(self, now: float, pace: float) -> None:
        """Make it due: at once after a quiet interval, else on the next common beat, a multiple of ``pace``."""
        if not self.due:
            self.due = True
            self.next = now if now - self.sent >= pace else next_beat(now, pace)

    def take(self, now: float, pace: float) -> bool:
        """Whether it is due by ``now``; if so, it is taken as sent."""
        if not self.due or self.next > now:
            return False
        self.due = False
        # On time, it counts from its beat, not from the loop's jitter.
        self.sent = self.next if now - self.next < pace else now
        return True


def next_beat(now: float, pace: float) -> float:
    """The first multiple of ``pace`` behind ``now``.

    A moment that is a beat must not be taken for one just before it, or a board is sent twice within one, hence the
    hair; and beats of different paces that coincide must be equal, so that one pass serves both, hence the rounding.
    """
    return round((math.floor(now / pace + 1e-4) + 1) * pace, 6)


class Group(Track):
    """Exact subscribers of one board that share a view and a pace.

    ``members`` are in step: all were sent the same last, and the next is the same for all of them, so a pass writes to
    them without asking. Those ``apart`` have just come (back): the next pass serves them singly and takes them in.
    """

    __slots__ = ("apart", "body", "epoch", "every", "members", "passes", "size", "stamp", "view")

    def __init__(self, view: View, every: int) -> None:
        super().__init__()
        self.view = view
        self.every = every
        self.members: dict[Subscription, None] = {}
        self.apart: dict[Subscription, None] = {}
        self.size = 0
        """Subscriptions of this group, those on congested connections too."""
        self.epoch = ""
        """The last life of the board that the members were shown."""
        self.stamp: object = None
        """The last snapshot that they were sent."""
        self.body: Body | None = None
        """What they were shown last."""
        self.passes = 0

    def begin(self, epoch: str, stamp: object) -> bytes | None:
        """Begin a pass: what the members are told alone, escaped; None if they have this snapshot already."""
        if stamp == self.stamp:
            return None
        self.stamp = stamp
        self.passes += 1
        return escape(own(reset=self.epoch not in ("", epoch), skipped=0))

    @property
    def away(self) -> int:
        """Subscriptions that the pass leaves out, because their connection is congested."""
        return self.size - len(self.members) - len(self.apart)

    def end(self, epoch: str) -> None:
        """The members have been sent this life of the board."""
        self.epoch = epoch or self.epoch

    def take_in(self, subscription: Subscription) -> None:
        """One of those apart has been sent what the members were sent last: it is in step."""
        in_step = subscription.stamp == self.stamp and subscription.epoch == self.epoch
        if in_step and subscription in self.apart:
            del self.apart[subscription]
            self.members[subscription] = None


class Room:
    """What this process knows of one board channel that somebody here watches."""

    __slots__ = (
        "bodies",
        "channel",
        "clock",
        "connections",
        "elsewhere",
        "floor",
        "groups",
        "marked",
        "passing",
        "personal",
        "planned",
        "playing",
        "presence",
        "revision",
        "round",
        "rules",
        "wild",
    )

    def __init__(self, channel: str, rules: Namespace) -> None:
        self.channel = channel
        self.rules = rules
        self.groups: dict[tuple[View, int], Group] = {}
        self.wild: dict[int, Track] = {}
        """Pace of wildcard subscribers, by their ``every``."""
        self.connections: Counter[Peer] = Counter()
        self.elsewhere = 0
        """Connections of other processes, as last told."""
        self.personal = 0
        self.bodies: dict[View, Body] = {}
        """Encoded bodies of the board as it is, of views that many can share; emptied when it changes."""
        self.floor = ("", 0)
        """The highest (epoch, version) read here."""
        self.revision = 0
        """Counts the changes heard of, so that an answer to an older question is not kept."""
        self.clock = 0.0
        """The engine's clock minus the loop's."""
        self.round = Round()
        self.playing = 0
        """As of the last reading, and so is the round."""
        self.presence = Track()
        self.marked = -1
        """The hub's generation for which all that is shown of the board was marked as due, since the last pass."""
        self.planned: float | None = None
        """When the broker will look at this room."""
        self.passing = 0
        """Parts of its present pass that have not ended."""

    @property
    def watching(self) -> int:
        """Connections that subscribe to exactly this channel, wherever they are."""
        return len(self.connections) + self.elsewhere

    def pace(self, group: Group) -> float:
        """Seconds between two snapshots of a group."""
        pace = self.rules.interval_ms / 1000
        if group.view.personal and self.personal > MANY_PERSONAL:
            pace = max(pace, PERSONAL_PACE)
        return pace * group.every

    def wild_pace(self, every: int) -> float:
        """Seconds between two marks of a wildcard subscriber of that pace."""
        return self.rules.interval_ms / 1000 * every

    def stale(self) -> None:
        """The board has changed: what was encoded is not what it is."""
        self.revision += 1
        self.bodies.clear()

    def mark(self, now: float, wild: Iterable[int]) -> None:
        """All that is shown of the board is due, to wildcards of these paces too."""
        for group in self.groups.values():
            group.mark(now, self.pace(group))
        for every in wild:
            self.wild.setdefault(every, Track()).mark(now, self.wild_pace(every))

    def hurry(self, now: float) -> None:
        """What is due is due now."""
        for track in self._tracks():
            track.next = min(track.next, now)

    def next(self) -> float | None:
        """When the first of it is due; None when nothing is."""
        return min((track.next for track in self._tracks() if track.due), default=None)

    def _tracks(self) -> Iterable[Track]:
        return (*self.groups.values(), *self.wild.values(), self.presence)


class Hub:
    """All local subscriptions, by channel and by wildcard."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.size = 0
        """Live subscriptions."""
        self.generation = 0
        """Counts the subscriptions that have come: what was marked before one of them may lack it."""
        self._raw: dict[str, dict[Subscription, None]] = {}
        self._wild: dict[str, dict[int, dict[Subscription, None]]] = {}

    def open_room(self, channel: str, rules: Namespace) -> Room:
        """The room of a channel, made if need be."""
        room = self.rooms.get(channel)
        if room is None:
            room = self.rooms[channel] = Room(channel, rules)
        return room

    def add(self, subscription: Subscription, rules: Namespace) -> None:
        """Take a subscription in. Raises `LimitExceeded`, and takes nothing, over the limit of personal views."""
        channel, view = subscription.channel, subscription.view
        wildcard = channels.is_wildcard(channel)
        if view is None:
            self._raw.setdefault(channel, {})[subscription] = None
        elif wildcard:
            paces = self._wild.setdefault(channel, {})
            paces.setdefault(subscription.every, {})[subscription] = None
        else:
            self._join(self.open_room(channel, rules), subscription, view)
        if rules.kind == "board" and not wildcard:
            room = self.open_room(channel, rules)
            room.connections[subscription.peer] += 1
            subscription.room = room
        subscription.open = True
        self.size += 1
        self.generation += 1

    def _join(self, room: Room, subscription: Subscription, view: View) -> None:
        key = (view, subscription.every)
        group = room.groups.get(key)
        if group is None:
            if view.personal and room.personal >= MAX_PERSONAL:
                raise LimitExceeded(
                    f"{MAX_PERSONAL} personal views of this board are open, no more"
                )
            room.personal += view.personal
            group = room.groups[key] = Group(view, subscription.every)
        group.apart[subscription] = None
        group.size += 1
        subscription.group = group

    def remove(self, subscription: Subscription) -> None:
        """Let a subscription go, and its group with the last member. The room stays until `close_room`."""
        self.size -= 1
        subscription.open = False
        subscription.peer.waiting.pop(subscription, None)
        channel, room = subscription.channel, subscription.room
        if subscription.view is None:
            _take_from(self._raw, channel, subscription)
        elif subscription.due is not None:
            paces = self._wild[channel]
            _take_from(paces, subscription.every, subscription)
            if not paces:
                del self._wild[channel]
        if room is None:
            return
        room.connections[subscription.peer] -= 1
        if not room.connections[subscription.peer]:
            del room.connections[subscription.peer]
        group = subscription.group
        if group is not None:
            group.members.pop(subscription, None)
            group.apart.pop(subscription, None)
            group.size -= 1
            if not group.size:
                del room.groups[group.view, group.every]
                room.personal -= group.view.personal
                room.bodies.pop(group.view, None)

    def close_room(self, room: Room) -> None:
        """Forget a room that nobody is in and that owes nothing."""
        if room.connections or room.passing or room.next() is not None:
            return
        if self.rooms.get(room.channel) is room:
            del self.rooms[room.channel]

    def wild_paces(self, channel: str) -> set[int]:
        """The ``every`` of all wildcard subscribers that want snapshots of a channel."""
        if not self._wild:
            return set()
        return {
            every
            for pattern in channels.wildcards_over(channel)
            for every in self._wild.get(pattern, ())
        }

    def wildcards(self) -> list[Subscription]:
        """All subscribers of snapshots below a path."""
        return [each for shelf in self._wild.values() for some in shelf.values() for each in some]

    def wild(self, channel: str, paces: Iterable[int]) -> Iterator[Subscription]:
        """Wildcard subscribers of these paces that want snapshots of a channel."""
        for pattern in channels.wildcards_over(channel):
            shelf = self._wild.get(pattern, {})
            for every in paces:
                yield from shelf.get(every, ())

    def raw(self, channel: str, *, hosts: bool = False) -> list[Subscription]:
        """Those who want a channel's events as they come; of them only the hosts, if so asked."""
        found = list(self._raw.get(channel, ()))
        for pattern in channels.wildcards_over(channel):
            found += self._raw.get(pattern, ())
        return [subscription for subscription in found if subscription.host] if hosts else found


def _take_from(
    shelf: dict[K, dict[Subscription, None]], key: K, subscription: Subscription
) -> None:
    """Take a subscription from a shelf, and its place with the last one there."""
    del shelf[key][subscription]
    if not shelf[key]:
        del shelf[key]
