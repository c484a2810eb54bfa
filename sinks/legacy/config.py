"""Every option of the legacy reader, read from `TELEMETRY_LEGACY_…` and `TELEMETRY_KAFKA_…`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.contract.kafka_access import KafkaAccess

PREFIXES = {"TELEMETRY_LEGACY_": "", "TELEMETRY_KAFKA_": "kafka_"}


class LegacyConfig(KafkaAccess, frozen=True, kw_only=True):
    """Options with their defaults."""

    gateway_url: Annotated[
        str, Meta(pattern="^https?://[^@]+$", description="HTTP address of the gateway")
    ] = "http://127.0.0.1:8080"
    write_key: Annotated[str, Meta(description="of the app that rows belong to, or …_FILE")] = ""
    group: Annotated[str, Meta(min_length=1, description="consumer group")] = "telemetry-legacy"
    metrics_host: Annotated[
        str, Meta(min_length=1, description="address of /metrics and health")
    ] = "127.0.0.1"
    metrics_port: Annotated[
        int, Meta(ge=0, le=65535, description="port of /metrics and health; 0: none")
    ] = 0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="how much the log says")
    ] = "info"
    log_format: Annotated[
        Literal["json", "text"],
        Meta(description="an object a line for programs, or text for people"),
    ] = "json"
    batch_rows: Annotated[int, Meta(ge=1, le=1000, description="rows of one POST")] = 200
    timeout_seconds: Annotated[
        float, Meta(gt=0, le=300, description="for one POST; then it is sent again")
    ] = 15.0
