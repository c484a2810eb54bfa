"""The topic table: every Kafka topic and consumer group of the system, by name."""

from __future__ import annotations

from msgspec import Struct

DAY_MS = 24 * 3600 * 1000
MAX_RECORD_BYTES = 900_000  # one encoded record; below the topics' max.message.bytes


class Topic(Struct, frozen=True, kw_only=True):
    """One topic as `telemetry-infra provision` creates it and the gateway expects it.

    `partitions` never changes once devices have written: it decides on which partition a
    device's events lie, and so their order.
    """

    name: str
    partitions: int
    retention_ms: int
    max_message_bytes: int = 1_048_588
    cleanup_policy: str = "delete"
    meaning: str


APP_EVENTS = Topic(
    name="app-events",
    partitions=12,
    retention_ms=7 * DAY_MS,
    meaning="every accepted event of every app, keyed by device, in the device's order",
)
APP_EVENTS_DEAD = Topic(
    name="app-events-dead",
    partitions=3,
    retention_ms=30 * DAY_MS,
    meaning="events rejected at the door and records that can never be stored, with the reason",
)

APP_FORGOTTEN = Topic(
    name="app-forgotten",
    partitions=1,
    retention_ms=-1,
    cleanup_policy="compact",
    meaning="devices and users who asked to be forgotten, as hashes",
)

TOPICS = (APP_EVENTS, APP_EVENTS_DEAD, APP_FORGOTTEN)

CLICKHOUSE_SINK_GROUP = "telemetry-clickhouse"
