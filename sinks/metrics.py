"""Every metric of the sink, each with one line of meaning. Labels come from closed sets."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD
from sinks.process_metrics import ProcessMetrics

PREFIX = "telemetry_sink_"
PLACE = ["topic", "partition"]


class Metrics:
    """The metrics of one sink process.

    polled = inserted + duplicate + dead_lettered + returned + pending closes at any time.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.records = Counter(
            PREFIX + "records_total",
            "Records by outcome: polled, inserted, duplicate, dead_lettered, returned (let go at "
            "a rebalance, read again by the next owner).",
            ["topic", "outcome"],
            registry=registry,
        )
        self.pending = Gauge(
            PREFIX + "pending_records",
            "Records polled and not yet settled.",
            ["topic"],
            registry=registry,
        )
        self.chunks = Counter(
            PREFIX + "chunks_total", "Chunks stored.", ["topic"], registry=registry
        )
        self.chunk_age_seconds = Histogram(
            PREFIX + "chunk_age_seconds",
            "From the oldest record of a chunk in Kafka to the chunk's rows in the store.",
            buckets=(0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
            registry=registry,
        )
        self.waiting_chunks = Gauge(
            PREFIX + "waiting_chunks",
            "Chunks that the store does not take now; they are tried again.",
            registry=registry,
        )
        self.waiting = 0  # the same as a number
        self.waiting_chunks.set_function(lambda: self.waiting)
        self.replays = Counter(
            PREFIX + "replayed_chunks_total",
            "Chunks stored again at an assignment, from their intent or the ledger.",
            ["topic"],
            registry=registry,
        )
        self.insert_seconds = Histogram(
            PREFIX + "insert_duration_seconds",
            "One insert, from request to answer.",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25),
            registry=registry,
        )
        self.retries = Counter(
            PREFIX + "insert_retries_total",
            "Inserts that ClickHouse could not take at that time, by its error code or `network`.",
            ["code"],
            registry=registry,
        )
        self.dead_letters = Counter(
            PREFIX + "dead_letters_total", "Dead letters by code.", ["code"], registry=registry
        )
        self.rebalances = Counter(
            PREFIX + "rebalances_total", "Assignments of partitions.", registry=registry
        )
        self.fenced = Counter(
            PREFIX + "fenced_total",
            "Commits refused because another owner has the partition.",
            registry=registry,
        )
        self.lost_offsets = Counter(
            PREFIX + "lost_offsets_total",
            "Offsets that Kafka no longer had when they were to be stored.",
            ["topic"],
            registry=registry,
        )
        self.missing_chunks = Counter(
            PREFIX + "missing_chunks_total",
            "Assignments that found acknowledged chunks missing in ClickHouse: its tables are "
            "older than Kafka's offsets.",
            ["topic"],
            registry=registry,
        )
        self.views_may_lack_chunk = Counter(
            PREFIX + "views_may_lack_chunk_total",
            "Chunks found stored and too old to be repeated: their views may lack them.",
            registry=registry,
        )
        self.position = Gauge(
            PREFIX + "position_offset", "Next offset to store.", PLACE, registry=registry
        )
        self.lag_records = Gauge(
            PREFIX + "lag_records", "Records in Kafka not yet stored.", PLACE, registry=registry
        )
        self.lag_seconds = Gauge(
            PREFIX + "lag_seconds",
            "Age of the oldest record that was read and has no outcome yet.",
            PLACE,
            registry=registry,
        )
        self.held_bytes = Gauge(
            PREFIX + "held_bytes",
            "Bytes of records held in buffers and chunks, all partitions together.",
            registry=registry,
        )
        self.process = ProcessMetrics(PREFIX, registry)
        for topic in (APP_EVENTS.name, APP_EVENTS_DEAD.name):  # told also while they are 0
            self.lost_offsets.labels(topic)
            self.missing_chunks.labels(topic)

    def settle(self, topic: str, inserted: int, duplicates: int, dead: int) -> None:
        """Count a chunk whose records all have their outcome."""
        self.records.labels(topic, "inserted").inc(inserted)
        self.records.labels(topic, "duplicate").inc(duplicates)
        self.records.labels(topic, "dead_lettered").inc(dead)
        self.pending.labels(topic).dec(inserted + duplicates + dead)
        self.chunks.labels(topic).inc()

    def poll(self, topic: str, count: int) -> None:
        self.records.labels(topic, "polled").inc(count)
        self.pending.labels(topic).inc(count)

    def give_back(self, topic: str, count: int) -> None:
        self.records.labels(topic, "returned").inc(count)
        self.pending.labels(topic).dec(count)

    def render(self) -> bytes:
        """The text that `/metrics` answers."""
        return generate_latest(self.registry)
