"""Events on their way to subscribers as they came: those of relay channels, and the raw ones of boards.

They are not conflated: each goes to everybody who asked for it, in one order for all. So that they do not pile up, no
more are taken while too many are on their way.
"""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard import channels
from leaderboard.audience import Subscription
from leaderboard.errors import LimitExceeded, Refusal
from leaderboard.frames import Spliced
from leaderboard.hub import Hub
from leaderboard.lanes import CHUNK, Lanes, Pass
from leaderboard.metrics import Metrics
from leaderboard.replies import shared_event

UNDER_WAY = 16 * 1024**2
"""Bytes of events on their way beyond which no more are taken: a tenth of a second of writing."""


class Relays:
    """The events under way in this process; ``full`` when no more are taken."""

    def __init__(self, hub: Hub, lanes: Lanes, metrics: Metrics) -> None:
        self._hub = hub
        self._lanes = lanes
        self._metrics = metrics
        self._under_way = 0
        self.full = False

    def deliver(self, channel: str, events: Sequence[str], private: bool) -> None:
        """Send events to those who subscribe to them; if ``private``, only to hosts."""
        subscriptions = self._hub.raw(channel, hosts=private)
        if subscriptions:
            ends = [shared_event(event) for event in events]
            # What a relay that waits keeps: the events, and who is to have them.
            weight = sum(map(len, ends)) + 8 * len(subscriptions)
            self._weigh(weight)
            self._lanes.start_relay(self._pass(channel, subscriptions, ends, weight))

    def _pass(
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
            self._metrics.count_sent(channels.namespace(channel), reached * len(frames), size)
            yield
        finally:
            self._weigh(-weight)

    def _weigh(self, more: int) -> None:
        self._under_way += more
        self.full = self._under_way > UNDER_WAY


def too_many() -> Refusal:
    """The answer to a publish while the relays are full."""
    return LimitExceeded("Too many events are on their way to subscribers; publish again later")
