"""What every POST needs, made once per process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from gateway.config import GatewayConfig
from gateway.contract.forgotten import Wishes
from gateway.denied import Denied, DeniedError
from gateway.edge.admission import Admission, AdmissionLimits
from gateway.edge.body import BodyLimits
from gateway.edge.callers import CallerLimits, Callers
from gateway.edge.keys import KeyRing
from gateway.edge.response import Responses
from gateway.ingest.counts import Counts
from gateway.ingest.tracing import Traces
from gateway.metrics import Metrics
from gateway.publish.publisher import Publisher
from gateway.rejects import RejectRate
from gateway.runtime import ConfigError


class Services(Struct, frozen=True, kw_only=True):
    """Everything around one POST. None of it holds the state of a request."""

    publisher: Publisher
    keys: KeyRing
    metrics: Metrics
    counts: Counts
    admission: Admission
    callers: Callers
    wishes: Wishes
    denied: Denied
    reject_rate: RejectRate
    body_limits: BodyLimits
    responses: Responses
    country_header: bytes  # empty where no trusted edge tells the country
    now_ms: Callable[[], int]
    traces: Traces | None  # None: no POST is traced


def denied_of(config: GatewayConfig, metrics: Metrics) -> Denied:
    """What the operator's file denies. Raises ConfigError."""
    path = Path(config.denied_properties) if config.denied_properties else None
    denied = Denied(path, lambda app, name, count: metrics.denied.add(app, name, count=count))
    try:
        denied.refresh()
    except DeniedError as error:
        raise ConfigError(f"TELEMETRY_GATEWAY_DENIED_PROPERTIES: {error}") from None
    return denied


def services_of(
    config: GatewayConfig,
    publisher: Publisher,
    keys: KeyRing,
    metrics: Metrics,
    now_ms: Callable[[], int],
    wishes: Wishes | None = None,
    denied: Denied | None = None,
    traces: Traces | None = None,
) -> Services:
    """Raises ConfigError."""
    return Services(
        publisher=publisher,
        keys=keys,
        metrics=metrics,
        counts=Counts(metrics),
        admission=Admission(
            AdmissionLimits(
                requests=config.max_inflight_requests,
                bytes=config.max_inflight_bytes,
                key_percent=config.max_inflight_key_percent,
            )
        ),
        callers=Callers(
            CallerLimits(
                address_requests_per_second=config.address_requests_per_second,
                device_requests_per_second=config.device_requests_per_second,
                unknown_keys_per_minute=config.unknown_keys_per_minute,
                trusted_proxies=config.trusted_proxies,
            )
        ),
        wishes=Wishes() if wishes is None else wishes,
        denied=denied_of(config, metrics) if denied is None else denied,
        reject_rate=RejectRate(config.dead_letters_per_second),
        body_limits=BodyLimits(
            max_bytes=config.max_body_bytes,
            timeout_seconds=config.body_timeout_seconds,
            bytes_per_second=config.min_body_bytes_per_second,
        ),
        responses=Responses(config.cors_origin),
        country_header=config.country_header.lower().encode(),
        now_ms=now_ms,
        traces=traces,
    )
