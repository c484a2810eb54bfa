"""Every option of the sink, read from `TELEMETRY_SINK_…`, `TELEMETRY_KAFKA_…`, `…_CLICKHOUSE_…`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.contract import topics
from sinks.program_config import ProgramConfig

PREFIXES = {
    "TELEMETRY_SINK_": "",
    "TELEMETRY_KAFKA_": "kafka_",
    "TELEMETRY_CLICKHOUSE_": "clickhouse_",
}

MB = 1024 * 1024


class SinkConfig(ProgramConfig, frozen=True, kw_only=True):
    """Options with their defaults. A value out of range stops the process at its start."""

    tracing_url: Annotated[
        str,
        Meta(
            pattern="^(https?://.+)?$",
            description="OTLP/HTTP address that spans go to, as http://collector:4318/v1/traces; "
            "empty: none",
        ),
    ] = ""
    group: Annotated[str, Meta(min_length=1, description="consumer group")] = (
        topics.CLICKHOUSE_SINK_GROUP
    )
    chunk_rows: Annotated[
        int, Meta(ge=1, le=1_000_000, description="records that make a chunk")
    ] = 50_000
    chunk_bytes: Annotated[
        int, Meta(ge=1024, le=256 * MB, description="bytes that make a chunk")
    ] = 32 * MB
    chunk_age_seconds: Annotated[
        float,
        Meta(ge=0, le=60, description="age that makes a chunk; 0: 1 s, longer under load"),
    ] = 0.0
    buffer_bytes: Annotated[
        int, Meta(ge=MB, description="records held by all partitions; beyond it none is fetched")
    ] = 128 * MB
    dedup_window_offsets: Annotated[
        int,
        Meta(ge=0, le=10_000_000, description="a re-sent event is dropped within so many offsets"),
    ] = 50_000
    insert_timeout_seconds: Annotated[
        int,
        Meta(ge=1, le=300, description="for one insert; cut to 4/5 of the session timeout"),
    ] = 25
    session_timeout_ms: Annotated[
        int, Meta(ge=1000, le=300_000, description="silence after which Kafka gives us up")
    ] = 30_000
    heartbeat_interval_ms: Annotated[
        int, Meta(ge=100, le=60_000, description="between heartbeats to Kafka")
    ] = 3_000
    rebalance_timeout_ms: Annotated[
        int, Meta(ge=1000, le=600_000, description="for all members to join again")
    ] = 60_000
    drain_seconds: Annotated[
        float, Meta(gt=0, le=300, description="for chunks to end after SIGTERM or a revocation")
    ] = 25.0
    stall_seconds: Annotated[
        float, Meta(gt=1, le=3600, description="records waiting, none fetched: the process ends")
    ] = 60.0
    brake_dead_letters: Annotated[
        int, Meta(ge=1, description="dead letters in a row that stop the sink")
    ] = 100
    brake_percent: Annotated[
        float,
        Meta(gt=0, le=100, description="or this share of a partition's last 10,000 records"),
    ] = 1.0
    token_minutes: Annotated[
        int, Meta(ge=1, le=10_000, description="how long ClickHouse surely remembers a token")
    ] = 10
    mapping_bytes: Annotated[
        int, Meta(ge=1024, le=256 * MB, description="of a mapping file; a larger one is refused")
    ] = 64 * MB
    kafka_request_timeout_ms: Annotated[
        int, Meta(ge=1000, le=120_000, description="for one request to a broker")
    ] = 10_000
    clickhouse_url: Annotated[str, Meta(description="HTTP address of ClickHouse")] = (
        "http://127.0.0.1:8123"
    )
    clickhouse_user: Annotated[str, Meta(description="its user")] = "default"
    clickhouse_password: Annotated[str, Meta(description="its password, or …_FILE")] = ""
    clickhouse_ca_path: Annotated[
        str, Meta(description="PEM of who may vouch for it over https; empty: the system's")
    ] = ""
