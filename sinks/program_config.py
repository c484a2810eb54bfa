"""What every program that reads Kafka can be told, beside its own options."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.contract.kafka_access import KafkaAccess


class ProgramConfig(KafkaAccess, frozen=True, kw_only=True):
    """How to reach Kafka, what the log is like, and where the program tells of itself."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="how much the log says")
    ] = "info"
    log_format: Annotated[
        Literal["json", "text"],
        Meta(description="an object a line for programs, or text for people"),
    ] = "json"
    metrics_host: Annotated[
        str, Meta(min_length=1, description="address of /metrics and health")
    ] = "127.0.0.1"
    metrics_port: Annotated[
        int, Meta(ge=0, le=65535, description="port of /metrics and health; 0: none")
    ] = 0
