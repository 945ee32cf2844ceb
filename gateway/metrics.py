"""Counters of the daemon, plain integers while it runs and Prometheus text when asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import CollectorRegistry, CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from gateway.shortway import Volume


class Metrics:
    """What the daemon counts.

    Gauges are asked for when somebody looks: ``gauges`` maps a name to (help text, function).
    """

    def __init__(self) -> None:
        self.volume = Volume()
        self.frames: Counter[str] = Counter()
        self.repeats: Callable[[], dict[str, int]] = dict  # frames beside those, that went the short way
        self.refused: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        self.broker_losses: Counter[str] = Counter()
        self.orders: Counter[tuple[str, str]] = Counter()
        self.deliveries: Counter[tuple[str, str]] = Counter()
        self.bills: Counter[str] = Counter()
        self.gauges: dict[str, tuple[str, Callable[[], int]]] = {}
        self.outbox: Sequence[Mapping[str, Any]] = ()  # per upstream and state: endpoint, state, entries, oldest_at_ms
        self.at_ms = 0  # when ``outbox`` was counted
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def count_frame(self, event: str) -> None:
        """One usable frame, named by the fact it told."""
        self.frames[event] += 1

    def count_refused(self, code: str) -> None:
        """One frame or stretch of bytes that was refused."""
        self.refused[code] += 1

    def count_closed(self, reason: str) -> None:
        """One link closed by us."""
        self.closed[reason] += 1

    def collect(self) -> Iterator[Metric]:
        """The families that Prometheus reads."""
        yield _counter("pilegate_received_bytes", "Bytes received from piles", self.volume.received)
        yield _counter("pilegate_sent_bytes", "Bytes sent to piles", self.volume.sent)
        yield _labelled(
            "pilegate_frames", "Usable frames received, by fact", "fact", self.frames + Counter(self.repeats())
        )
        yield _labelled("pilegate_refused_frames", "Frames refused, by reason", "reason", self.refused)
        yield _labelled("pilegate_closed_links", "Links closed by the gateway, by reason", "reason", self.closed)
        yield _labelled(
            "pilegate_broker_losses", "Connections to MQTT brokers lost, by reason", "reason", self.broker_losses
        )
        yield _labelled("pilegate_bills", "Bill revisions issued, by status", "status", self.bills)
        yield _paired("pilegate_orders", "Orders to piles, by kind and result", ("kind", "result"), self.orders)
        yield _paired(
            "pilegate_deliveries",
            "Delivery attempts, by upstream and result",
            ("upstream", "result"),
            self.deliveries,
        )
        yield from self._outbox()
        for name, (text, read) in self.gauges.items():
            yield GaugeMetricFamily(f"pilegate_{name}", text, value=read())

    def _outbox(self) -> Iterator[Metric]:
        entries = GaugeMetricFamily(
            "pilegate_outbox_entries", "Outbox entries, by upstream and state", labels=["upstream", "state"]
        )
        oldest = GaugeMetricFamily(
            "pilegate_outbox_oldest_pending_seconds", "Age of the oldest event that waits", labels=["upstream"]
        )
        for row in self.outbox:
            entries.add_metric([row["endpoint"], row["state"]], row["entries"])
            if row["state"] == "pending":
                oldest.add_metric([row["endpoint"]], max(0, self.at_ms - row["oldest_at_ms"]) // 1000)
        yield entries
        yield oldest

    def exposition(self) -> bytes:
        """The text of ``GET /metrics``."""
        return generate_latest(self._registry)


def _counter(name: str, text: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, label: str, counts: Counter[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in sorted(counts.items()):
        family.add_metric([key], value)
    return family


def _paired(name: str, text: str, labels: tuple[str, str], counts: Counter[tuple[str, str]]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=list(labels))
    for key, value in sorted(counts.items()):
        family.add_metric(list(key), value)
    return family
