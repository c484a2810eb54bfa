"""HTTPS at the gateway itself: the certificate it shows, and a new one while it runs."""

from __future__ import annotations

import logging
import ssl
from functools import partial

from gateway.config import GatewayConfig
from gateway.contract.pem import PemError, RenewedContext, server_context
from gateway.metrics import Metrics
from gateway.runtime import ConfigError

log = logging.getLogger(__name__)


def tls_of(config: GatewayConfig, metrics: Metrics | None = None) -> RenewedContext | None:
    """What to listen with; None: plain HTTP. Raises ConfigError naming the option."""
    if not config.tls_cert_path:
        if config.tls_key_path:
            raise ConfigError(
                "TELEMETRY_GATEWAY_TLS_KEY_PATH: without TELEMETRY_GATEWAY_TLS_CERT_PATH it is of "
                "no use"
            )
        return None

    def changed(refusal: PemError | None) -> None:
        if refusal is None:
            log.info("TLS shows the new certificate to new connections")
        else:
            log.error("TLS goes on with the certificate it has: %s", refusal)
        if metrics is not None:
            metrics.tls_renewals.labels("renewed" if refusal is None else "refused").inc()

    build = partial(server_context, config.tls_cert_path, config.tls_key_path)
    files = [config.tls_cert_path, config.tls_key_path]
    try:
        return RenewedContext(ssl.PROTOCOL_TLS_SERVER, build, files, changed)
    except PemError as error:
        is_key = config.tls_key_path and error.path != config.tls_cert_path
        option = "TLS_KEY_PATH" if is_key else "TLS_CERT_PATH"
        raise ConfigError(f"TELEMETRY_GATEWAY_{option}: {error}") from None
