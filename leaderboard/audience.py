"""Who watches a board here: its subscriptions, in groups that are sent the same, and what they were sent last.

An `Audience` holds what this process knows of one channel: its exact subscribers in groups that share a view and a
pace, who is connected to it, and the encoded bodies of its present version. No network, no clock, no await; all
audiences together are the `hub`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from leaderboard import channels
from leaderboard.beats import Track
from leaderboard.frames import Spliced
from leaderboard.ranking import View
from leaderboard.replies import data_prefix, escape
from leaderboard.rounds import Round
from leaderboard.settings import Namespace
from leaderboard.snapshots import Body, own, snapshot_prefix

MANY_PERSONAL = 100
"""Beyond so many, personal views are served at `PERSONAL_PACE`."""
PERSONAL_PACE = 0.25


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
    """What an audience knows of a connection."""

    waiting: dict[Subscription, None]
    """Subscriptions that have left the audience because the connection is congested."""

    @property
    def door(self) -> Outlet:
        """Where its frames go."""

    def relay(self, frame: bytes) -> None:
        """Send, or queue up to the connection's backlog, an event that must not be conflated."""


class Subscription:
    """One ``subscribe``: what it shows, and what it has shown.

    ``view`` is None for events as they come; a ``host`` gets those too that are kept from others. What was shown last
    is noted here only for those who are served singly (see `Group`): ``stamp`` tells that snapshot from others, and
    ``epoch`` is the last life of the board that was seen, ``known`` the version that was shown apart from a pass, so
    that one which began before shows nothing older. They begin as ``since``, the position that was seen elsewhere.
    """

    __slots__ = (
        "audience",
        "channel",
        "door",
        "due",
        "epoch",
        "epochs",
        "every",
        "group",
        "host",
        "id",
        "known",
        "left",
        "open",
        "peer",
        "prefix",
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
        since: tuple[str, int] = ("", 0),
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
        self.audience: Audience | None = None
        self.group: Group | None = None
        self.open = False
        self.stamp: object = None
        self.epoch, self.known = since
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

    def knows_newer(self, body: Body) -> bool:
        """Whether a version is known that is newer than this."""
        return self.epoch == body.epoch and self.known > body.version

    def leave(self) -> None:
        """Leave the audience until the connection has room again: no pass looks at a congested connection."""
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

    def saw(self, body: Body) -> None:
        """One of them was shown this apart from a pass: should the board be lost now, it is what was seen last."""
        last = self.body
        if last is None or last.epoch != body.epoch or last.version <= body.version:
            self.body = body

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


class Audience:
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
        """When it will be looked at."""
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
