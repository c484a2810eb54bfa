"""How every process of ours reaches Kafka: the shared options, and what a client makes of them."""

from __future__ import annotations

import ssl
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.runtime import ConfigError

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
        str, Meta(description="PEM of our own certificate and key; empty: none")
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
        try:
            context = ssl.create_default_context(cafile=self.kafka_ssl_ca_path or None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{PREFIX}SSL_CA_PATH: {error}") from None
        if self.kafka_ssl_certificate_path:
            try:
                context.load_cert_chain(self.kafka_ssl_certificate_path)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"{PREFIX}SSL_CERTIFICATE_PATH: {error}") from None
        return context
