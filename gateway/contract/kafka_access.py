"""How every process of ours reaches Kafka: the shared options, and what a client makes of them."""

from __future__ import annotations

import logging
import ssl
from functools import partial
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.contract.pem import PemError, RenewedContext, client_context
from gateway.runtime import ConfigError

log = logging.getLogger(__name__)

PREFIX = "TELEMETRY_KAFKA_"


class KafkaAccess(Struct, frozen=True, kw_only=True):
    """Options of any process that talks to Kafka, read from `TELEMETRY_KAFKA_…`."""

    kafka_bootstrap: Annotated[
        str, Meta(min_length=1, description="host:port of brokers, comma-separated")
    ] = "127.0.0.1:9092"
    kafka_security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Meta(description="how to talk to brokers"),
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
        Meta(description="how to show who we are, with SASL"),
    ] = "SCRAM-SHA-512"
    kafka_sasl_username: Annotated[str, Meta(description="who we are")] = ""
    kafka_sasl_password: Annotated[str, Meta(description="our password, or …_FILE")] = ""
    kafka_ssl_ca_path: Annotated[
        str, Meta(description="PEM of who may vouch for brokers; empty: the system's")
    ] = ""
    kafka_ssl_certificate_path: Annotated[
        str, Meta(description="PEM of our own certificate; empty: none")
    ] = ""
    kafka_ssl_key_path: Annotated[
        str, Meta(description="PEM of its private key; empty: in the same file")
    ] = ""

    def client_security(self) -> dict[str, Any]:
        """What any aiokafka client takes beside its brokers. Raises ConfigError."""
        options: dict[str, Any] = {"security_protocol": self.kafka_security_protocol}
        if self.kafka_security_protocol.endswith("SSL"):
            options["ssl_context"] = self._ssl_context()
        if self.kafka_security_protocol.startswith("SASL"):
            for name in ("sasl_username", "sasl_password"):
                if not getattr(self, f"kafka_{name}"):
                    protocol = self.kafka_security_protocol
                    raise ConfigError(f"{PREFIX}{name.upper()}: {protocol} needs one")
            options["sasl_mechanism"] = self.kafka_sasl_mechanism
            options["sasl_plain_username"] = self.kafka_sasl_username
            options["sasl_plain_password"] = self.kafka_sasl_password
        return options

    def _ssl_context(self) -> ssl.SSLContext:
        """Reads its files anew when they have changed, for connections made after that."""
        ca, certificate = self.kafka_ssl_ca_path, self.kafka_ssl_certificate_path
        key = self.kafka_ssl_key_path
        if key and not certificate:
            raise ConfigError(
                f"{PREFIX}SSL_KEY_PATH: without {PREFIX}SSL_CERTIFICATE_PATH it is of no use"
            )

        def changed(refusal: PemError | None) -> None:
            if refusal is None:
                log.info("new connections to Kafka use the new certificates")
            else:
                log.error("TLS to Kafka goes on with the certificates it has: %s", refusal)

        try:
            return RenewedContext(
                ssl.PROTOCOL_TLS_CLIENT,
                partial(client_context, ca, certificate, key),
                [ca, certificate, key],
                changed,
            )
        except PemError as error:
            name = {ca: "CA_PATH", certificate: "CERTIFICATE_PATH"}.get(error.path, "KEY_PATH")
            if not key and name == "KEY_PATH":
                name = "CERTIFICATE_PATH"
            raise ConfigError(f"{PREFIX}SSL_{name}: {error}") from None
