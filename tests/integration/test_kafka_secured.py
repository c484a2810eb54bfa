"""The whole path over a Kafka that asks who we are: with the right key, with a wrong one, and with
keys and certificates that change while all of it runs.

The gateway shows a password (SCRAM), the sink a certificate; both have their ACLs and no others.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from infra.acls import ACLS, apply
from infra.provision import ProvisionOptions
from tests.authority import Authority
from tests.builders import make_batch, make_event
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import provision_topics, wait_until
from tests.kafka_secured import PLAIN_PASSWORD, SecuredKafka
from tests.processes import GatewayProcess, Process, add_key

MOST_OF_A_GATEWAY = 8  # connections within two waits: of the publisher, and to read wishes
MOST_OF_A_SINK = 200  # until it has given up: its consumer knocks a few times a second
PASSWORD = "first-password"
REFUSED = "TELEMETRY_KAFKA_SASL_PASSWORD: the broker knows no such user with this password"


class Path_:
    """Gateway and sink, and the files they are told of."""

    def __init__(self, kafka: SecuredKafka, clickhouse: ClickHouseUnderTest, folder: Path) -> None:
        self.kafka = kafka
        self.clickhouse = clickhouse
        self.folder = folder
        self.app = f"app-{uuid4()}"
        self.ca_file = folder / "ca.pem"
        self.certificate = folder / "sink.crt"
        self.key = folder / "sink.key"
        self.password = folder / "password"
        self.password.write_text(PASSWORD + "\n")
        self.trust(kafka.authority)

    def trust(self, authority: Authority) -> None:
        """Let our processes have the certificates of this authority."""
        self.ca_file.write_bytes(authority.ca_file.read_bytes())
        authority.issue("sink", common_name="sink").write(self.certificate, self.key)

    def sasl(self, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        return {
            "TELEMETRY_KAFKA_BOOTSTRAP": self.kafka.sasl,
            "TELEMETRY_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "TELEMETRY_KAFKA_SASL_MECHANISM": mechanism,
            "TELEMETRY_KAFKA_SASL_USERNAME": "gateway",
            "TELEMETRY_KAFKA_SASL_PASSWORD_FILE": str(self.password),
            "TELEMETRY_KAFKA_SSL_CA_PATH": str(self.ca_file),
        }

    def mutual(self) -> dict[str, str]:
        return {
            "TELEMETRY_KAFKA_BOOTSTRAP": self.kafka.tls,
            "TELEMETRY_KAFKA_SECURITY_PROTOCOL": "SSL",
            "TELEMETRY_KAFKA_SSL_CA_PATH": str(self.ca_file),
            "TELEMETRY_KAFKA_SSL_CERTIFICATE_PATH": str(self.certificate),
            "TELEMETRY_KAFKA_SSL_KEY_PATH": str(self.key),
        }

    def gateway(self, access: dict[str, str]) -> GatewayProcess:
        """Without a spool: what Kafka does not take is refused."""
        add_key(self.app, self.folder)
        bootstrap = access["TELEMETRY_KAFKA_BOOTSTRAP"]
        return GatewayProcess(bootstrap, self.folder, environment=access, spool_bytes=0)

    def sink(self, access: dict[str, str]) -> Process:
        environment = {
            **access,
            "TELEMETRY_CLICKHOUSE_URL": self.clickhouse.url,
            "TELEMETRY_CLICKHOUSE_USER": self.clickhouse.user,
            "TELEMETRY_CLICKHOUSE_PASSWORD": self.clickhouse.password,
            "TELEMETRY_SINK_CHUNK_AGE_SECONDS": "0.3",
            "TELEMETRY_SINK_DRAIN_SECONDS": "2",
        }
        return Process(["sinks", "run"], environment, "sink ready", self.folder / "sink.log")

    def assert_an_event_arrives(self, gateway: GatewayProcess) -> None:
        """Answered 200 once it is in Kafka, and a row soon after."""
        event_id = str(uuid4())
        batch = make_batch(make_event(event_id=event_id))

        def is_kept() -> bool:
            status, text = gateway.post(batch)
            return status == 200 and '"stored":"kafka"' in text

        wait_until(is_kept, 60, "an event in Kafka")
        asked = (
            "SELECT 1 FROM telemetry.events WHERE app_id = {app:String} AND event_id = {id:UUID}"
        )
        wait_until(
            lambda: bool(self.clickhouse.rows(asked, app=self.app, id=event_id)),
            60,
            "the row of the event",
        )


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    broker = SecuredKafka(tmp_path_factory.mktemp("kafka"))
    broker.start()
    provision_topics(ProvisionOptions(bootstrap=broker.bootstrap, replication_factor=1))
    named = [(f"User:{one}", acl) for one in ("gateway", "sink") for acl in ACLS[one]]
    asyncio.run(apply(broker.bootstrap, {}, named, 10.0))
    broker.set_password("gateway", PASSWORD)
    yield broker
    broker.stop()


@pytest.fixture
def path(kafka: SecuredKafka, clickhouse: ClickHouseUnderTest, tmp_path: Path) -> Path_:
    return Path_(kafka, clickhouse, tmp_path)


def errors_of(log: Path) -> list[str]:
    return [one for one in log.read_text().splitlines() if one]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_each_mechanism_lets_in_and_keeps_out(path: Path_, mechanism: str) -> None:
    if mechanism == "PLAIN":
        path.password.write_text(PLAIN_PASSWORD)
    else:
        path.kafka.set_password("gateway", PASSWORD, mechanism)
    gateway = path.gateway(path.sasl(mechanism))
    try:
        gateway.wait_until_ready()
        assert '"stored":"kafka"' in gateway.post(make_batch())[1]
    finally:
        assert gateway.stop() == 0


@pytest.mark.parametrize(
    "command",
    [
        ["sinks", "run"],
        ["sinks", "dead-letters", "replay", "--app", "x"],
        ["sinks", "replay"],
        ["infra", "provision"],
        ["infra", "acls", "--apply"],
    ],
    ids=" ".join,
)
def test_a_wrong_password_at_the_start_is_one_clear_error(
    path: Path_, command: list[str], clickhouse: ClickHouseUnderTest
) -> None:
    path.password.write_text("wrong")
    before = path.kafka.relay.connections
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env={
            **path.sasl(),
            "TELEMETRY_CLICKHOUSE_URL": clickhouse.url,
            "TELEMETRY_CLICKHOUSE_USER": clickhouse.user,
            "TELEMETRY_CLICKHOUSE_PASSWORD": clickhouse.password,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"telemetry-{command[0].removesuffix('s')}: {REFUSED}"]
    assert path.kafka.relay.connections - before == 1


def test_certificates_that_do_not_fit_are_told_by_their_option(path: Path_, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    theirs = tmp_path / "theirs.pem"
    other.issue("sink", common_name="sink").write_both(theirs)
    wrong_ca = {**path.mutual(), "TELEMETRY_KAFKA_SSL_CA_PATH": str(other.ca_file)}
    wrong_one = {**path.mutual(), "TELEMETRY_KAFKA_SSL_CERTIFICATE_PATH": str(theirs)}
    del wrong_one["TELEMETRY_KAFKA_SSL_KEY_PATH"]
    for access, said in (
        (wrong_ca, "TELEMETRY_KAFKA_SSL_CA_PATH: it does not vouch for the broker: "),
        (wrong_one, "TELEMETRY_KAFKA_SSL_CERTIFICATE_PATH: the broker does not take it: "),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "infra", "provision"],
            env=access, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr.startswith(f"telemetry-infra: {said}")
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.timeout(300)
def test_new_certificates_on_both_sides_need_no_restart_of_ours(
    path: Path_, tmp_path: Path
) -> None:
    gateway = path.gateway(path.sasl())
    sink = path.sink(path.mutual())
    try:
        sink.wait_ready()
        path.assert_an_event_arrives(gateway)

        later = Authority(tmp_path / "later")
        path.trust(later)
        path.kafka.renew(later)
        path.assert_an_event_arrives(gateway)
        for log in (gateway.log_file, sink.log_file):
            assert "new connections to Kafka use the new certificates" in log.read_text()
    finally:
        for process in (gateway, sink):
            process.stop()


@pytest.mark.timeout(300)
def test_a_gateway_that_is_kept_out_later_asks_ever_more_rarely_and_comes_back(
    path: Path_,
) -> None:
    relay = path.kafka.relay
    gateway = path.gateway(path.sasl())
    try:
        gateway.wait_until_ready()
        path.kafka.set_password("gateway", "another-password")
        relay.cut()
        wait_until(lambda: REFUSED in gateway.get("/readyz")[1], what="the reason")
        waits = refusals(gateway)
        before = relay.connections
        wait_until(lambda: len(refusals(gateway)) >= len(waits) + 2, what="two more tries")

        assert relay.connections - before <= MOST_OF_A_GATEWAY
        assert refusals(gateway)[:3] == [1, 2, 4]
        assert gateway.post(make_batch())[0] == 503
        path.kafka.set_password("gateway", PASSWORD)
        wait_until(lambda: gateway.post(make_batch())[0] == 200, 60, "an event in Kafka")
        assert PASSWORD not in gateway.log_file.read_text()
    finally:
        gateway.stop()


def refusals(gateway: GatewayProcess) -> list[int]:
    """The seconds it has waited, one refusal after another."""
    found = re.findall(r"Kafka refuses us, again in (\d+) s", gateway.log_file.read_text())
    return [int(one) for one in found]


@pytest.mark.timeout(300)
def test_a_sink_that_is_kept_out_later_ends_and_says_why(path: Path_) -> None:
    relay = path.kafka.relay
    path.kafka.set_password("sink", PASSWORD)
    sink = path.sink({**path.sasl(), "TELEMETRY_KAFKA_SASL_USERNAME": "sink"})
    sink.wait_ready()
    path.kafka.set_password("sink", "another-password")
    before = relay.connections
    relay.cut()

    wait_until(sink.is_dead, 60, "the end of the sink")
    tries = relay.connections - before
    assert tries < MOST_OF_A_SINK, tries
    assert sink.popen.returncode == 1
    assert sink.log_file.read_text().splitlines()[-1] == f"telemetry-sink: {REFUSED}"
