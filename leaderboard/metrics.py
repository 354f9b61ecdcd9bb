"""What happened, counted under AppSync's metric names and shown in Prometheus' form.

The hot path adds to a plain number; names, types and help are put together when somebody asks. AWS calls a metric
``PublishSuccess``, here it is ``leaderboard_publish_success_total`` with AWS' dimension ``namespace`` as a label.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from operator import itemgetter

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

COUNTERS = {
    "ConnectRequests": "WebSocket upgrades.",
    "ConnectSuccess": "Connections that were accepted.",
    "ConnectClientError": "Connections refused for their credential or a limit.",
    "DisconnectSuccess": "Connections that ended in order.",
    "DisconnectClientError": "Connections closed for what the client did, or failed to do.",
    "ConnectionDuration": "Milliseconds that ended connections lasted, added up.",
    "SubscribeSuccess": "Subscriptions that were opened.",
    "SubscribeClientError": "Subscribes that were refused.",
    "SubscribeServerError": "Subscribes that failed in the server.",
    "UnsubscribeSuccess": "Subscriptions that were ended by their client.",
    "UnsubscribeClientError": "Unsubscribes that named no subscription.",
    "UnsubscribeServerError": "Unsubscribes that failed in the server.",
    "PublishSuccess": "Publishes over the WebSocket of which at least one event was applied.",
    "PublishClientError": "Publishes over the WebSocket that were refused as a whole.",
    "PublishServerError": "Publishes over the WebSocket that failed in the server.",
    "SuccessfulEvents": "Events applied or relayed.",
    "FailedEvents": "Events refused singly.",
    "DroppedEvents": "Events that a handler left out.",
    "PublishedHandlerInvocations": "Publishes that a handler was asked about.",
    "SubscribeHandlerInvocations": "Subscribes, and reads over HTTP, that a handler was asked about.",
    "BroadcastEventSuccess": "Snapshots and events sent to subscribers.",
    "BroadcastEventSize": "Bytes of these.",
    "SkippedSnapshots": "Snapshots passed over because their subscriber was not writable.",
    "InboundMessages": "Frames received.",
    "InboundMessageDropped": "Publishes over the rate, answered with LimitExceededError.",
    "Requests": "HTTP requests to /event and /api.",
    "4XXError": "Of these, refused.",
    "5XXError": "Of these, failed.",
}
"""AppSync's names, and one of ours, with what each counts here."""

GAUGES = {
    "ActiveConnections": "Open WebSocket connections.",
    "ActiveSubscriptions": "Live subscriptions.",
    "ActiveBoards": "Boards that somebody of this process watches.",
    "LongestPass": "Seconds that the longest fan-out of one board took since the last look.",
    "Tasks": "asyncio tasks of this process.",
    "EngineReached": "1 where all boards can be reached, 0 where some cannot.",
}


class Counter:
    """One counter of one namespace: whoever counts often keeps it, and adds to its ``value``."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Metrics:
    """Counters of one server. ``gauges`` gives the present values when asked."""

    def __init__(self) -> None:
        self._counters: defaultdict[tuple[str, str], Counter] = defaultdict(Counter)
        self.gauges: Callable[[], dict[str, float]] = dict

    def counter(self, name: str, namespace: str = "") -> Counter:
        """The counter of a namespace; ``name`` is one of `COUNTERS`."""
        return self._counters[name, namespace]

    def count(self, name: str, namespace: str = "", by: int = 1) -> None:
        """Add to a counter; ``name`` is one of `COUNTERS`."""
        self._counters[name, namespace].value += by

    def count_sent(self, namespace: str, frames: int, size: int) -> None:
        """So many frames, of so many bytes together, went to subscribers."""
        if frames:
            self.count("BroadcastEventSuccess", namespace, frames)
            self.count("BroadcastEventSize", namespace, size)

    def __getitem__(self, name: str) -> int:
        """A counter over all namespaces."""
        return sum(
            counter.value for (counted, _), counter in self._counters.items() if counted == name
        )

    def collect(self) -> Iterable[Metric]:
        """The families of this server, for a Prometheus registry."""
        for name, help_text in COUNTERS.items():
            family = CounterMetricFamily(_snake(name), help_text, labels=["namespace"])
            for (counted, namespace), counter in sorted(self._counters.items(), key=itemgetter(0)):
                if counted == name:
                    family.add_metric([namespace], counter.value)
            yield family
        values = self.gauges()
        for name, help_text in GAUGES.items():
            yield GaugeMetricFamily(_snake(name), help_text, value=values.get(name, 0))

    def render(self) -> bytes:
        """The text of ``/metrics``."""
        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)
        for collector in (PLATFORM_COLLECTOR, GC_COLLECTOR):
            registry.register(collector)
        return generate_latest(registry)


def _snake(name: str) -> str:
    """``PublishSuccess`` as ``leaderboard_publish_success``; ``4XXError`` as ``leaderboard_http_4xx_error``."""
    if name[0].isdigit():
        name = f"Http{name[0]}xxError"
    return "leaderboard_" + re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", name).lower()
