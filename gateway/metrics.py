"""Every metric of the gateway, each with one line of meaning. Labels come from closed sets."""

from __future__ import annotations

from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from gateway.contract.event import EVENT_TYPES
from gateway.contract.readiness import Lacks
from gateway.contract.refusal import RefusalCode
from gateway.contract.verdict import Code
from gateway.counting import Durations, Tally
from gateway.runtime import version

PREFIX = "telemetry_gateway_"


class InFlight(Protocol):
    """What is being worked on."""

    @property
    def requests(self) -> int: ...

    @property
    def bytes(self) -> int: ...


class Ready(Protocol):
    """Whether events can be kept."""

    def lacks(self) -> Lacks: ...


class Metrics:
    """The metrics of one gateway process.

    decoded = accepted + duplicate + rejected + refused closes at any time no POST is in flight.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Tally(
            PREFIX + "http_requests_total", "Answers to ingest requests.", ["protocol", "code"]
        )
        self.request_seconds = Durations(
            PREFIX + "http_request_duration_seconds",
            "From a request's head to its answer.",
            (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0),
        )
        self.events = Tally(
            PREFIX + "events_total",
            "Decoded events by outcome: accepted, duplicate, rejected, refused.",
            ["outcome"],
            [(one,) for one in ("accepted", "duplicate", "rejected", "refused")],
        )
        self.accepted_types = Tally(
            PREFIX + "accepted_events_total",
            "Accepted events by type.",
            ["type"],
            [(one,) for one in sorted(EVENT_TYPES)],
        )
        self.rejections = Tally(
            PREFIX + "rejected_events_total",
            "Rejected events by code.",
            ["code"],
            [(one,) for one in Code],
        )
        self.refusals = Tally(
            PREFIX + "refused_requests_total",
            "POSTs that were not taken at all, by code.",
            ["code"],
            [(one,) for one in RefusalCode],
        )
        self.ignored = Tally(
            PREFIX + "ignored_items_total",
            "What SDKs send that is no event of ours: traces, heartbeats, flags.",
            ["protocol"],
        )
        self.denied = Tally(
            PREFIX + "denied_properties_total",
            "Properties taken out of events that the operator denies; `app`: as in the file.",
            ["app", "property"],
        )
        for one in (
            self.ignored, self.denied,
            self.requests, self.request_seconds, self.events, self.accepted_types,
            self.rejections, self.refusals,
        ):  # fmt: skip
            registry.register(one)
        self.cut_connections = Counter(
            PREFIX + "cut_connections_total",
            "Connections closed by the guard before any request of theirs was handed on, by code.",
            ["code"],
            registry=registry,
        )
        self.tls_renewals = Counter(
            PREFIX + "tls_renewals_total",
            "Changes of the certificate's files by outcome: renewed; refused, and the one before "
            "goes on.",
            ["outcome"],
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
        self.produce_seconds = Histogram(
            PREFIX + "kafka_produce_duration_seconds",
            "One request to a broker, from its sending to its answer.",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5, 10),
            registry=registry,
        )
        self.kafka_errors = Counter(
            PREFIX + "kafka_errors_total",
            "Batches that a broker did not take, by its error; `connection`: requests without an "
            "answer; `connect`: brokers that could not be reached; `refused`: brokers that did not "
            "let us in.",
            ["error"],
            registry=registry,
        )
        self.producer_ids = Counter(
            PREFIX + "kafka_producer_ids_total",
            "Producer ids taken; more than one means that Kafka had lost count.",
            registry=registry,
        )
        self.restamped = Counter(
            PREFIX + "kafka_restamped_batches_total",
            "Batches of unknown outcome sent under another producer id: they may lie there twice.",
            registry=registry,
        )
        self._add_spool(registry)
        self.write_keys = Gauge(PREFIX + "write_keys", "Known write keys.", registry=registry)
        self._add_process(registry)

    def _add_process(self, registry: CollectorRegistry) -> None:
        self.ready = Gauge(
            PREFIX + "ready",
            "1 when an event sent now can be kept, as `/readyz` says; the keeper of a spool: 1.",
            registry=registry,
        )
        self.ready.set(1)
        self.loop_lag_seconds = Histogram(
            PREFIX + "event_loop_lag_seconds",
            "How late a timer of the event loop was, twice a second.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
            registry=registry,
        )
        self.unreadable_files = Gauge(
            PREFIX + "unreadable_files",
            "1 while a file of the operator cannot be read, and what it said before is in force.",
            ["file"],
            registry=registry,
        )
        build = Gauge(PREFIX + "build_info", "1, by version.", ["version"], registry=registry)
        build.labels(version()).set(1)
        ProcessCollector(registry=registry)

    def _add_spool(self, registry: CollectorRegistry) -> None:
        self.spool_bytes = Gauge(
            PREFIX + "spool_bytes", "Bytes in the spool, not yet in Kafka.", registry=registry
        )
        self.spool_limit_bytes = Gauge(
            PREFIX + "spool_limit_bytes",
            "Bytes that the spool may have; 0: none.",
            registry=registry,
        )
        self.spool_lanes = Gauge(
            PREFIX + "spool_lanes",
            "Lanes whose events go through the spool now.",
            registry=registry,
        )
        self.spool_oldest_seconds = Gauge(
            PREFIX + "spool_oldest_seconds",
            "Age of the oldest entry in the spool.",
            registry=registry,
        )
        self.spool_trips = Counter(
            PREFIX + "spool_trips_total",
            "Lanes that went to the spool because Kafka did not take their events in time.",
            registry=registry,
        )
        self.spool_entries = Counter(
            PREFIX + "spool_entries_total",
            "Entries (the records of one POST for one lane) by outcome: stored, drained, refused.",
            ["outcome"],
            registry=registry,
        )
        self.spool_sync_seconds = Histogram(
            PREFIX + "spool_sync_duration_seconds",
            "One group commit to the spool's disk.",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5, 10),
            registry=registry,
        )
        self.spool_disk_errors = Counter(
            PREFIX + "spool_disk_errors_total",
            "Writes or syncs that failed; what they held was refused.",
            registry=registry,
        )
        self.spool_torn_bytes = Counter(
            PREFIX + "spool_torn_bytes_total",
            "Bytes cut off at the end of logs after a crash: never acknowledged.",
            registry=registry,
        )
        self.spool_quarantined = Counter(
            PREFIX + "spool_quarantined_total",
            "Damaged stretches of logs put aside into the spool's folder `quarantine`.",
            registry=registry,
        )

    def answered(self, protocol: str, status: int, seconds: float) -> None:
        """One answer to an ingest request, so long after its head."""
        self.requests.add(protocol, str(status))
        self.request_seconds.observe(seconds)

    def watch_ready(self, ready: Ready) -> None:
        """Ask what is lacking whenever somebody wants to know."""
        self.ready.set_function(lambda: 0 if ready.lacks() else 1)

    def watch(self, inflight: InFlight) -> None:
        """Ask for what is in flight whenever somebody wants to know."""
        self.inflight_requests.set_function(lambda: inflight.requests)
        self.inflight_bytes.set_function(lambda: inflight.bytes)

    async def page(self) -> bytes:
        """The text that `/metrics` answers."""
        return generate_latest(self.registry)
