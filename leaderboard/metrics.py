"""What happened, counted under AppSync's metric names and shown in Prometheus' form.

The hot path adds to a plain number; names, types and help are put together when somebody asks. AWS calls a metric
``PublishSuccess``, here it is ``leaderboard_publish_success_total`` with AWS' dimension ``namespace`` as a label.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable

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
    "PublishSuccess": "Publishes of which at least one event was applied.",
    "PublishClientError": "Publishes that were refused as a whole.",
    "PublishServerError": "Publishes that failed in the server.",
    "SuccessfulEvents": "Events applied or relayed.",
    "FailedEvents": "Events refused singly.",
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
}


class Metrics:
    """Counters of one server. ``gauges`` gives the present values when asked."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.gauges: Callable[[], dict[str, float]] = dict

    def count(self, name: str, namespace: str = "", by: int = 1) -> None:
        """Add to a counter; ``name`` is one of `COUNTERS`."""
        self._counts[name, namespace] += by

    def __getitem__(self, name: str) -> int:
        """A counter over all namespaces."""
        return sum(value for (counted, _), value in self._counts.items() if counted == name)

    def collect(self) -> Iterable[Metric]:
        """The families of this server, for a Prometheus registry."""
        for name, help_text in COUNTERS.items():
            family = CounterMetricFamily(_snake(name), help_text, labels=["namespace"])
            for (counted, namespace), value in sorted(self._counts.items()):
                if counted == name:
                    family.add_metric([namespace], value)
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
