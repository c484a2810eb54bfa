"""What parts of the gateway need of its configuration, and what of it must fit together."""

from __future__ import annotations

import random
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config import GatewayConfig
from gateway.edge.tls import tls_of
from gateway.metrics import Metrics
from gateway.publish.kafka import KafkaOptions, places
from gateway.publish.lane import NEVER
from gateway.publish.spool.spool import Board, Spool, SpoolError, SpoolOptions
from gateway.runtime import ConfigError, now_ms

if TYPE_CHECKING:
    from gateway.tracing import OtelTraces

SPOOL_FOLDER = "spool"


def check(config: GatewayConfig) -> None:
    """Raises ConfigError for options that are each right, and wrong together."""
    config.client_security()
    tls_of(config)
    if config.spool_bytes and config.spool_after_seconds >= config.publish_timeout_seconds:
        raise ConfigError(
            f"TELEMETRY_GATEWAY_SPOOL_AFTER_SECONDS: {config.spool_after_seconds:g} must be less "
            f"than TELEMETRY_GATEWAY_PUBLISH_TIMEOUT_SECONDS, {config.publish_timeout_seconds:g}"
        )


def kafka_options(config: GatewayConfig) -> KafkaOptions:
    return KafkaOptions(
        bootstrap=config.kafka_bootstrap,
        security=config.client_security(),
        partitions=config.kafka_partitions,
        deadline_seconds=config.publish_timeout_seconds,
        spool_after_seconds=config.spool_after_seconds if config.spool_bytes else NEVER,
        request_timeout_ms=config.kafka_request_timeout_ms,
    )


def traces_of(config: GatewayConfig) -> OtelTraces | None:
    """Raises ConfigError."""
    if not config.tracing_url:
        return None
    if find_spec("opentelemetry.sdk") is None:
        text = "the package opentelemetry-sdk is missing; install the extra: tracing"
        raise ConfigError(f"TELEMETRY_GATEWAY_TRACING_URL: {text}")
    from gateway.tracing import OtelTraces, Share, exported  # needs the extra

    share = Share(config.tracing_percent, config.tracing_per_second)
    return OtelTraces(exported(config.tracing_url), share, random.random)


async def open_spool(config: GatewayConfig, board: Board, metrics: Metrics) -> Spool:
    """The spool of this host, with what a former process left in it. Raises ConfigError."""
    options = SpoolOptions(
        folder=Path(config.data) / SPOOL_FOLDER,
        max_bytes=config.spool_bytes,
        min_free_bytes=config.spool_min_free_bytes,
        alarm_seconds=config.spool_alarm_hours * 3600,
    )
    metrics.spool_limit_bytes.set(config.spool_bytes)
    spool = Spool(options, places(config.kafka_partitions), board, metrics, now_ms)
    try:
        await spool.open()
    except SpoolError as error:
        raise ConfigError(f"TELEMETRY_GATEWAY_DATA: {error}") from None
    return spool
