"""Every option of the gateway, read from `TELEMETRY_GATEWAY_…` and `TELEMETRY_KAFKA_…`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.contract import topics
from gateway.contract.event import MAX_BODY_BYTES
from gateway.contract.kafka_access import KafkaAccess

PREFIXES = {"TELEMETRY_GATEWAY_": "", "TELEMETRY_KAFKA_": "kafka_"}

Seconds = Annotated[float, Meta(gt=0, le=300)]


class GatewayConfig(KafkaAccess, frozen=True, kw_only=True):
    """Options with their defaults. A value out of range stops the process at its start."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port; 0 picks a free one")] = 8080
    tls_cert_path: Annotated[
        str, Meta(description="PEM of our certificate and its chain, for HTTPS; empty: plain HTTP")
    ] = ""
    tls_key_path: Annotated[
        str, Meta(description="PEM of its private key; empty: in the same file")
    ] = ""
    data: Annotated[str, Meta(description="folder of the key file and the spool")] = "data"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="how much the log says")
    ] = "info"
    log_format: Annotated[
        Literal["json", "text"],
        Meta(description="an object a line for programs, or text for people"),
    ] = "json"
    max_body_bytes: Annotated[
        int,
        Meta(ge=1024, le=64 * 1024 * 1024, description="a body, as sent and as inflated"),
    ] = MAX_BODY_BYTES
    body_timeout_seconds: Annotated[
        Seconds, Meta(description="for a body to arrive, and longer for what came in time")
    ] = 10.0
    min_body_bytes_per_second: Annotated[
        int, Meta(ge=1, le=10**9, description="what that longer is: a second for so many bytes")
    ] = 10_000
    max_head_bytes: Annotated[
        int, Meta(ge=1024, le=1024 * 1024, description="a request's line and headers")
    ] = 32 * 1024
    max_headers: Annotated[int, Meta(ge=8, le=10_000, description="of a request")] = 100
    head_timeout_seconds: Annotated[
        Seconds, Meta(description="for a head to arrive, from the connection or its first byte")
    ] = 5.0
    max_inflight_requests: Annotated[
        int, Meta(ge=1, le=100_000, description="POSTs being worked on; beyond it 503")
    ] = 1024
    max_inflight_bytes: Annotated[
        int, Meta(ge=1024 * 1024, description="bytes of records being worked on; beyond it 503")
    ] = 256 * 1024 * 1024
    max_inflight_key_percent: Annotated[
        int, Meta(ge=1, le=100, description="of both, for one write key; beyond it 429")
    ] = 80
    address_requests_per_second: Annotated[
        float,
        Meta(
            ge=0, le=1e6, description="POSTs of one address, IPv6: its /64; beyond it 429; 0: any"
        ),
    ] = 0.0
    device_requests_per_second: Annotated[
        float, Meta(ge=0, le=1e6, description="POSTs of one device; beyond it 429; 0: any")
    ] = 0.0
    unknown_keys_per_minute: Annotated[
        float,
        Meta(ge=0, le=1e6, description="of one address; beyond it 429 to all it sends; 0: any"),
    ] = 0.0
    trusted_proxies: Annotated[
        str, Meta(description="addresses or networks whose X-Forwarded-For counts; empty: none")
    ] = ""
    publish_timeout_seconds: Annotated[
        Seconds, Meta(description="for Kafka to acknowledge; beyond it 503")
    ] = 10.0
    spool_bytes: Annotated[
        int,
        Meta(ge=0, description="what Kafka does not take in time may fill on disk; 0: no spool"),
    ] = 1024**3
    spool_after_seconds: Annotated[
        Seconds, Meta(description="Kafka has to acknowledge before events go to the spool")
    ] = 1.5
    spool_min_free_bytes: Annotated[
        int, Meta(ge=0, description="of the spool's disk; below it nothing is spooled")
    ] = 1024**3
    spool_alarm_hours: Annotated[
        float, Meta(gt=0, le=8760, description="an entry that waits longer is logged as an error")
    ] = 72.0
    drain_seconds: Annotated[
        Seconds, Meta(description="for requests in flight to end after SIGTERM")
    ] = 15.0
    dead_letters_per_second: Annotated[
        int,
        Meta(ge=0, le=100_000, description="rejected events kept per app; beyond it counted only"),
    ] = 100
    denied_properties: Annotated[
        str, Meta(description="TOML file of properties that are not kept, by app; empty: none")
    ] = ""
    tracing_url: Annotated[
        str,
        Meta(
            pattern="^(https?://.+)?$",
            description="OTLP/HTTP address that spans go to, as http://collector:4318/v1/traces; "
            "empty: none",
        ),
    ] = ""
    tracing_percent: Annotated[
        float, Meta(ge=0, le=100, description="of POSTs that no phone traces are traced")
    ] = 0.1
    tracing_per_second: Annotated[
        float, Meta(ge=0, le=10_000, description="POSTs traced at most, all together")
    ] = 10.0
    country_header: Annotated[
        str, Meta(description="header of a trusted edge that names the country; empty: none")
    ] = ""
    cors_origin: Annotated[
        str, Meta(description="Access-Control-Allow-Origin for web views; empty: no CORS")
    ] = "*"
    kafka_partitions: Annotated[
        int, Meta(ge=1, le=10_000, description="of app-events, as provisioned")
    ] = topics.APP_EVENTS.partitions
    kafka_request_timeout_ms: Annotated[
        int, Meta(ge=1000, le=120_000, description="for one request to a broker")
    ] = 10_000
