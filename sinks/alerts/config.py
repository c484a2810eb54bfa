"""Every option of the alerts: `TELEMETRY_ALERTS_…`, `TELEMETRY_KAFKA_…`, `…_CLICKHOUSE_…`.

What is watched and who is told stands in the rule file, see `sinks.alerts.rule_file`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.contract import topics
from sinks.program_config import ProgramConfig

PREFIXES = {
    "TELEMETRY_ALERTS_": "",
    "TELEMETRY_KAFKA_": "kafka_",
    "TELEMETRY_CLICKHOUSE_": "clickhouse_",
}


class AlertsConfig(ProgramConfig, frozen=True, kw_only=True):
    """Options with their defaults. A value out of range stops the process at its start."""

    rules: Annotated[str, Meta(min_length=1, description="path of the rule file")] = "alerts.toml"
    group: Annotated[str, Meta(min_length=1, description="consumer group")] = topics.ALERTS_GROUP
    session_timeout_ms: Annotated[
        int, Meta(ge=1000, le=300_000, description="silence after which Kafka gives us up")
    ] = 30_000
    give_up_minutes: Annotated[
        float,
        Meta(gt=0, le=10_080, description="an alert that nobody took for so long is dead-lettered"),
    ] = 240.0
    retry_most_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="longest wait between two tries of a channel")
    ] = 300.0
    console_url: Annotated[
        str, Meta(description="address of the console that alerts link to; empty: no link")
    ] = ""
    smtp_host: Annotated[str, Meta(description="mail server")] = "127.0.0.1"
    smtp_port: Annotated[int, Meta(ge=1, le=65535, description="its port")] = 587
    smtp_security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(description="how to talk to it; none takes no password"),
    ] = "starttls"
    smtp_user: Annotated[str, Meta(description="who we are to it; empty: no login")] = ""
    smtp_password: Annotated[str, Meta(description="our password, or …_FILE")] = ""
    smtp_from: Annotated[str, Meta(description="sender of the mails")] = "alerts@localhost"
    smtp_timeout_seconds: Annotated[
        float, Meta(gt=0, le=300, description="for one mail, from dialling to the server's yes")
    ] = 30.0
    webhook_timeout_seconds: Annotated[
        float, Meta(gt=0, le=300, description="for one call of a webhook")
    ] = 15.0
    webhook_allow_loopback: Annotated[
        bool, Meta(description="webhooks of this machine may be called: for development")
    ] = False
    ca_path: Annotated[
        str,
        Meta(description="PEM of who may vouch for mail server and webhooks; empty: the system's"),
    ] = ""
    kafka_request_timeout_ms: Annotated[
        int, Meta(ge=1000, le=120_000, description="for one request to a broker")
    ] = 10_000
    clickhouse_url: Annotated[str, Meta(description="HTTP address of ClickHouse")] = (
        "http://127.0.0.1:8123"
    )
    clickhouse_user: Annotated[str, Meta(description="its user; a reader suffices")] = "default"
    clickhouse_password: Annotated[str, Meta(description="its password, or …_FILE")] = ""
    clickhouse_ca_path: Annotated[
        str, Meta(description="PEM of who may vouch for it over https; empty: the system's")
    ] = ""
