"""Every metric of the legacy reader, each with one line of meaning."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from sinks.process_metrics import ProcessMetrics

PREFIX = "telemetry_legacy_"


class Metrics:
    """The metrics of one legacy reader.

    read = accepted + duplicate + rejected + dead_lettered closes when no row is at work; rows read
    again after a restart count again.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.rows = Counter(
            PREFIX + "rows_total",
            "Rows by outcome: read; accepted, duplicate or rejected by the gateway; dead_lettered "
            "(no event can be made of it).",
            ["outcome"],
            registry=registry,
        )
        self.retries = Counter(
            PREFIX + "post_retries_total",
            "POSTs that the gateway could not take at that time, by status; 0: no answer.",
            ["status"],
            registry=registry,
        )
        self.lag_records = Gauge(
            PREFIX + "lag_records", "Rows in Kafka not yet settled.", registry=registry
        )
        self.process = ProcessMetrics(PREFIX, registry)

    def render(self) -> bytes:
        """The text that `/metrics` answers."""
        return generate_latest(self.registry)
