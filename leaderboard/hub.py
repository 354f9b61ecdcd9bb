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
from typing import Protocol

from msgspec import Struct

from leaderboard import channels
from leaderboard.board import View
from leaderboard.errors import LimitExceeded
from leaderboard.messages import SNAPSHOT_PREFIX, data_prefix, escape, own
from leaderboard.settings import Namespace

MAX_PERSONAL = 1000
"""Personal views (`around`, `of`) of one board in one process: each is read and encoded for a single reader."""
MANY_PERSONAL = 100
"""Beyond so many, personal views are served at `PERSONAL_PACE`."""
PERSONAL_PACE = 0.25


class Peer(Protocol):
    """What the hub knows of a connection."""

    waiting: dict[Subscription, None]
    """Subscriptions that missed a snapshot because the connection was not writable."""

    @property
    def writable(self) -> bool:
        """Whether a snapshot may be sent now."""

    def send(self, frame: bytes) -> None:
        """Send a snapshot's frame."""

    def relay(self, frame: bytes) -> None:
        """Send, or queue up to the connection's backlog, an event that must not be conflated."""


class Subscription:
    """One ``subscribe``: what it shows, and what it has shown.

    ``view`` is None for events as they come. ``stamp`` tells the last snapshot sent, so that none is sent twice.
    """

    __slots__ = (
        "channel",
        "due",
        "epochs",
        "every",
        "id",
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
    ) -> None:
        self.peer = peer
        self.id = id
        self.channel = channel
        self.view = view
        self.every = every
        self.prefix = data_prefix(id)
        self.room: Room | None = None
        self.open = False
        self.stamp: object = None
        self.skipped = 0
        self.epochs: dict[str, str] = {channel: since} if since else {}
        """Last epoch sent, by channel: one for an exact subscription, one per board for a wildcard."""
        self.due: dict[str, None] = {}
        """Boards that a wildcard has to send, the least recently marked first."""

    def deliver(self, channel: str, epoch: str, stamp: object, shared: bytes) -> int:
        """Send a snapshot unless the subscriber has it or cannot take it; the bytes sent, 0 for none.

        ``shared`` is the end of the frame, the same for all who share the view; ``stamp`` tells this snapshot from the
        others.
        """
        if stamp == self.stamp or not self.open:
            return 0
        if not self.peer.writable:
            self.skipped += 1
            self.peer.waiting[self] = None
            if channel != self.channel:
                self.due[channel] = None
            return 0
        reset = self._resets(channel, epoch)
        self.stamp = stamp
        if reset or self.skipped:
            mine = escape(own(reset=reset, skipped=self.skipped))
            self.skipped = 0
            frame = b"".join((self.prefix, SNAPSHOT_PREFIX, mine, shared))
        else:
            frame = b"".join((self.prefix, SNAPSHOT_PREFIX, shared))
        self.peer.send(frame)
        return len(frame)

    def _resets(self, channel: str, epoch: str) -> bool:
        """Whether this is another life of the board than the last one shown."""
        known = self.epochs.get(channel, "")
        if epoch:
            self.epochs[channel] = epoch
        elif channel != self.channel:
            self.epochs.pop(channel, None)  # a wildcard need not remember boards that are gone
        return known not in ("", epoch)


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


class Body(Struct, frozen=True):
    """The encoded members of a snapshot that all who share a view are told, and the position they stand for."""

    epoch: str
    version: int
    text: str


class Group(Track):
    """Exact subscribers of one board that share a view and a pace."""

    __slots__ = ("every", "members", "view")

    def __init__(self, view: View, every: int) -> None:
        super().__init__()
        self.view = view
        self.every = every
        self.members: dict[Subscription, None] = {}


class Room:
    """What this process knows of one board channel that somebody here watches."""

    __slots__ = (
        "bodies",
        "channel",
        "clock",
        "connections",
        "floor",
        "groups",
        "passing",
        "personal",
        "planned",
        "presence",
        "revision",
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
        self.personal = 0
        self.bodies: dict[View, Body] = {}
        """Encoded bodies of the board as it is, of views that many can share; emptied when it changes."""
        self.floor = ("", 0)
        """The highest (epoch, version) read here."""
        self.revision = 0
        """Counts the changes heard of, so that an answer to an older question is not kept."""
        self.clock = 0.0
        """The engine's clock minus the loop's."""
        self.presence = Track()
        self.planned: float | None = None
        """When the broker will look at this room."""
        self.passing = 0
        """Parts of its present pass that have not ended."""

    @property
    def watching(self) -> int:
        """Connections that subscribe to exactly this channel."""
        return len(self.connections)

    def pace(self, group: Group) -> float:
        """Seconds between two snapshots of a group."""
        pace = self.rules.interval_ms / 1000
        if group.view.personal and self.personal > MANY_PERSONAL:
            pace = max(pace, PERSONAL_PACE)
        return pace * group.every

    def wild_pace(self, every: int) -> float:
        """Seconds between two marks of a wildcard subscriber of that pace."""
        return self.rules.interval_ms / 1000 * every

    def mark(self, now: float, wild: Iterable[int]) -> None:
        """The board has changed: what was encoded is stale, and all that is shown of it is due."""
        self.revision += 1
        self.bodies.clear()
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
        self._raw: dict[str, dict[Subscription, None]] = {}
        self._wild: dict[str, dict[Subscription, None]] = {}

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
            self._wild.setdefault(channel, {})[subscription] = None
        else:
            self._join(self.open_room(channel, rules), subscription, view)
        if rules.kind == "board" and not wildcard:
            room = self.open_room(channel, rules)
            room.connections[subscription.peer] += 1
            subscription.room = room
        subscription.open = True
        self.size += 1

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
        group.members[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """Let a subscription go, and its group with the last member. The room stays until `close_room`."""
        self.size -= 1
        subscription.open = False
        subscription.peer.waiting.pop(subscription, None)
        channel, view, room = subscription.channel, subscription.view, subscription.room
        for shelf in (self._raw, self._wild):
            if subscription in shelf.get(channel, ()):
                del shelf[channel][subscription]
                if not shelf[channel]:
                    del shelf[channel]
        if room is None:
            return
        room.connections[subscription.peer] -= 1
        if not room.connections[subscription.peer]:
            del room.connections[subscription.peer]
        if view is not None:
            key = (view, subscription.every)
            group = room.groups[key]
            del group.members[subscription]
            if not group.members:
                del room.groups[key]
                room.personal -= view.personal
                room.bodies.pop(view, None)

    def close_room(self, room: Room) -> None:
        """Forget a room that nobody is in and that owes nothing."""
        if room.connections or room.passing or room.next() is not None:
            return
        if self.rooms.get(room.channel) is room:
            del self.rooms[room.channel]

    def wild(self, channel: str) -> Iterator[Subscription]:
        """Wildcard subscribers that want snapshots of a channel."""
        for pattern in channels.wildcards_over(channel):
            yield from self._wild.get(pattern, ())

    def raw(self, channel: str) -> list[Subscription]:
        """Those who want a channel's events as they come."""
        found = list(self._raw.get(channel, ()))
        for pattern in channels.wildcards_over(channel):
            found += self._raw.get(pattern, ())
        return found
