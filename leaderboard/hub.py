"""All local subscriptions: who wants which view of what. No network, no clock, no await.

Exact subscribers of a board are in its `audience`. Wildcard subscribers stand beside the audiences, by pattern, and
keep a mark per board that is due to them, never its bytes. So a subscription holds at most one pending snapshot, and
that one is the newest by construction: it is encoded when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from leaderboard import channels
from leaderboard.audience import Audience, Group, Subscription
from leaderboard.errors import LimitExceeded
from leaderboard.ranking import View
from leaderboard.settings import Namespace

MAX_PERSONAL = 1000
"""Personal views (`around`, `of`) of one board in one process: each is read and encoded for a single reader."""

K = TypeVar("K", str, int)


class Hub:
    """All local subscriptions, by channel and by wildcard."""

    def __init__(self) -> None:
        self.audiences: dict[str, Audience] = {}
        self.size = 0
        """Live subscriptions."""
        self.generation = 0
        """Counts the subscriptions that have come: what was marked before one of them may lack it."""
        self._raw: dict[str, dict[Subscription, None]] = {}
        self._wild: dict[str, dict[int, dict[Subscription, None]]] = {}

    def open(self, channel: str, rules: Namespace) -> Audience:
        """The audience of a channel, made if need be."""
        audience = self.audiences.get(channel)
        if audience is None:
            audience = self.audiences[channel] = Audience(channel, rules)
        return audience

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
            self._join(self.open(channel, rules), subscription, view)
        if rules.kind == "board" and not wildcard:
            audience = self.open(channel, rules)
            audience.connections[subscription.peer] += 1
            subscription.audience = audience
        subscription.open = True
        self.size += 1
        self.generation += 1

    def _join(self, audience: Audience, subscription: Subscription, view: View) -> None:
        key = (view, subscription.every)
        group = audience.groups.get(key)
        if group is None:
            if view.personal and audience.personal >= MAX_PERSONAL:
                raise LimitExceeded(
                    f"{MAX_PERSONAL} personal views of this board are open, no more"
                )
            audience.personal += view.personal
            group = audience.groups[key] = Group(view, subscription.every)
        group.apart[subscription] = None
        group.size += 1
        subscription.group = group

    def remove(self, subscription: Subscription) -> None:
        """Let a subscription go, and its group with the last member. The audience stays until `close`."""
        self.size -= 1
        subscription.open = False
        subscription.peer.waiting.pop(subscription, None)
        channel, audience = subscription.channel, subscription.audience
        if subscription.view is None:
            _take_from(self._raw, channel, subscription)
        elif subscription.due is not None:
            paces = self._wild[channel]
            _take_from(paces, subscription.every, subscription)
            if not paces:
                del self._wild[channel]
        if audience is None:
            return
        audience.connections[subscription.peer] -= 1
        if not audience.connections[subscription.peer]:
            del audience.connections[subscription.peer]
        group = subscription.group
        if group is not None:
            group.members.pop(subscription, None)
            group.apart.pop(subscription, None)
            group.size -= 1
            if not group.size:
                del audience.groups[group.view, group.every]
                audience.personal -= group.view.personal
                audience.bodies.pop(group.view, None)

    def close(self, audience: Audience) -> None:
        """Forget an audience that nobody is in and that owes nothing."""
        if audience.connections or audience.passing or audience.next() is not None:
            return
        if self.audiences.get(audience.channel) is audience:
            del self.audiences[audience.channel]

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
