"""A real Apache Kafka that asks who we are: TLS with SASL, TLS with client certificates, and an
authorizer that forbids whatever no ACL allows. Administered over a plain listener of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from msgspec import structs

from infra.local import kafka as local_kafka
from infra.local.ports import HOST, free_ports
from tests.authority import Authority
from tests.kafka import KafkaUnderTest
from tests.relay import Relay

PLAIN_USERS = (
    "gateway",
    "sink",
    "alerts",
    "legacy",
    "operator",
    "reader",
    "provision",
)  # by the SASL mechanism
PLAIN_PASSWORD = "plain-password"


class SecuredKafka(KafkaUnderTest):
    """`bootstrap` is the administrator's plain listener; `sasl`, where `relay` counts connections,
    and `tls` are for our processes.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.authority = Authority(folder / "ca")
        self.certificate_file = folder / "broker.pem"
        self.ca_file = folder / "clients-ca.pem"
        self._certify(self.authority)
        sasl_port, tls_port = free_ports(2)
        self.relay = Relay(sasl_port)
        self.sasl, self.tls = self.relay.address, f"{HOST}:{tls_port}"
        port, controller = self.broker.port, self.broker.controller_port
        ours = f"PLAINTEXT://{HOST}:{port},SASL_SSL://{{}},SSL://{self.tls}"
        behind = ours.format(f"{HOST}:{sasl_port}")
        jaas = "org.apache.kafka.common.security"
        users = " ".join(f'user_{one}="{PLAIN_PASSWORD}"' for one in PLAIN_USERS)
        settings = (
            ("listeners", f"{behind},CONTROLLER://{HOST}:{controller}"),
            ("advertised.listeners", ours.format(self.sasl)),
            (
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT",
            ),
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.location", str(self.certificate_file)),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", str(self.ca_file)),
            ("listener.name.ssl.ssl.client.auth", "required"),
            ("ssl.principal.mapping.rules", "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT"),
            ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
            (
                "listener.name.sasl_ssl.plain.sasl.jaas.config",
                f"{jaas}.plain.PlainLoginModule required {users};",
            ),
            *(
                (
                    f"listener.name.sasl_ssl.scram-sha-{bits}.sasl.jaas.config",
                    f"{jaas}.scram.ScramLoginModule required;",
                )
                for bits in (256, 512)
            ),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            ("super.users", "User:ANONYMOUS"),
        )
        self.broker = structs.replace(self.broker, settings=settings)
        local_kafka.prepare(self.broker)

    def renew(self, authority: Authority) -> None:
        """Restart it with a certificate of another authority, by which it trusts clients too."""
        super().stop()
        self._certify(authority)
        self.start()

    def _certify(self, authority: Authority) -> None:
        self.authority = authority
        authority.issue().write_both(self.certificate_file)
        self.ca_file.write_bytes(authority.ca_file.read_bytes())

    def tool(self, main_class: str, *arguments: str) -> None:
        """Run one of Kafka's own tools as the administrator."""
        command = local_kafka.java_tool(
            self.broker, main_class, "--bootstrap-server", self.bootstrap, *arguments
        )
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def set_password(self, user: str, password: str, mechanism: str = "SCRAM-SHA-512") -> None:
        self.tool(
            "kafka.admin.ConfigCommand",
            *("--alter", "--entity-type", "users", "--entity-name", user),
            *("--add-config", f"{mechanism}=[password={password}]"),
        )

    def stop(self) -> None:
        super().stop()
        self.relay.close()
