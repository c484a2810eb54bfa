"""Every option of the legacy reader, read from `TELEMETRY_LEGACY_…` and `TELEMETRY_KAFKA_…`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from sinks.program_config import ProgramConfig

PREFIXES = {"TELEMETRY_LEGACY_": "", "TELEMETRY_KAFKA_": "kafka_"}


class LegacyConfig(ProgramConfig, frozen=True, kw_only=True):
    """Options with their defaults."""

    gateway_url: Annotated[
        str, Meta(pattern="^https?://[^@]+$", description="HTTP address of the gateway")
    ] = "http://127.0.0.1:8080"
    write_key: Annotated[str, Meta(description="of the app that rows belong to, or …_FILE")] = ""
    group: Annotated[str, Meta(min_length=1, description="consumer group")] = "telemetry-legacy"
    batch_rows: Annotated[int, Meta(ge=1, le=1000, description="rows of one POST")] = 200
    timeout_seconds: Annotated[
        float, Meta(gt=0, le=300, description="for one POST; then it is sent again")
    ] = 15.0
