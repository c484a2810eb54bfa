"""Every metric of the gateway, each with one line of meaning. Labels come from closed sets."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

PREFIX = "telemetry_gateway_"


class Metrics:
    """The metrics of one gateway process.

    decoded = accepted + duplicate + rejected + refused closes at any time no POST is in flight.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Counter(
            PREFIX + "http_requests_total",
            "Answers to ingest requests.",
            ["protocol", "code"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            PREFIX + "http_request_duration_seconds",
            "From a request's head to its answer.",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5, 10),
            registry=registry,
        )
        self.events = Counter(
            PREFIX + "events_total",
            "Decoded events by outcome: accepted, duplicate, rejected, refused.",
            ["outcome"],
            registry=registry,
        )
        self.accepted_types = Counter(
            PREFIX + "accepted_events_total",
            "Accepted events by type.",
            ["type"],
            registry=registry,
        )
        self.rejections = Counter(
            PREFIX + "rejected_events_total",
            "Rejected events by code.",
            ["code"],
            registry=registry,
        )
        self.refusals = Counter(
            PREFIX + "refused_requests_total",
            "POSTs that were not taken at all, by code.",
            ["code"],
            registry=registry,
        )
        self.dead_letters = Counter(
            PREFIX + "dead_letters_total",
            "Rejected events by what became of their original: kept, over_rate.",
            ["outcome"],
            registry=registry,
        )
        self.disconnects = Counter(
            PREFIX + "disconnects_total",
            "Clients that left before their body was complete.",
            registry=registry,
        )
        self.bugs = Counter(
            PREFIX + "internal_errors_total",
            "Requests answered 503 because of an error in the gateway itself.",
            registry=registry,
        )
        self.inflight_requests = Gauge(
            PREFIX + "inflight_requests", "POSTs being worked on.", registry=registry
        )
        self.inflight_bytes = Gauge(
            PREFIX + "inflight_bytes", "Bytes of POSTs being worked on.", registry=registry
        )
        self.generations = Gauge(
            PREFIX + "kafka_producer_generations",
            "Producers started since boot; more than one means Kafka trouble.",
            registry=registry,
        )
        self.write_keys = Gauge(PREFIX + "write_keys", "Known write keys.", registry=registry)

    def render(self) -> bytes:
        """The text that `/metrics` answers."""
        return generate_latest(self.registry)
