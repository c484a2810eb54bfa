"""Every metric of the alerts, each with one line of meaning."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from sinks.process_metrics import ProcessMetrics

PREFIX = "telemetry_alerts_"


class Metrics:
    """The metrics of one alerts process. Rules and channels are those of the rule file."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.records = Counter(
            PREFIX + "records_total",
            "Records of app-events by outcome: seen, learned (before the first start, or decided "
            "before a restart), unreadable (no record; the ClickHouse sink puts them aside).",
            ["outcome"],
            registry=registry,
        )
        self.alerts = Counter(
            PREFIX + "alerts_total", "Alerts decided, by rule.", ["rule"], registry=registry
        )
        self.deliveries = Counter(
            PREFIX + "deliveries_total",
            "Tries to send an alert, by channel and outcome: delivered, failed (tried again), "
            "dead_lettered (given up, now in app-alerts-dead).",
            ["channel", "outcome"],
            registry=registry,
        )
        self.pending = Gauge(
            PREFIX + "pending", "Alerts that a channel has not yet taken.", registry=registry
        )
        self.query_failures = Counter(
            PREFIX + "query_failures_total",
            "Looks of a rule at ClickHouse that failed; the next one comes at its time.",
            ["rule"],
            registry=registry,
        )
        self.state_entries_skipped = Counter(
            PREFIX + "state_entries_skipped_total",
            "Records of app-alerts-state that could not be read.",
            registry=registry,
        )
        self.fenced = Counter(
            PREFIX + "fenced_total",
            "Commits refused because another process has taken over.",
            registry=registry,
        )
        self.lag_records = Gauge(
            PREFIX + "lag_records", "Records in Kafka not yet seen.", registry=registry
        )
        self.process = ProcessMetrics(PREFIX, registry)

    def render(self) -> bytes:
        """The text that `/metrics` answers."""
        return generate_latest(self.registry)
