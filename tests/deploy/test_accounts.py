"""The example's Kafka accounts on a broker that enforces them.

Each program may what it does. Passwords go by SASL PLAIN, where Strimzi's broker asks for SCRAM.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest
from msgspec import structs

from gateway.runtime import FOUND_WRONG, GOOD
from infra.local import kafka as local_kafka
from infra.local.ports import HOST, free_ports
from infra.provision import ProvisionOptions
from tests.clickhouse import ClickHouseUnderTest
from tests.deploy import compose
from tests.deploy.chart import EXAMPLES
from tests.kafka import KafkaUnderTest, provision_topics, wait_until
from tests.processes import GatewayProcess, Process, add_key

pytestmark = pytest.mark.timeout(400)

USERS = [one for one in yaml.safe_load_all((EXAMPLES / "users.yaml").read_text()) if one]
RESOURCES = {"topic": 2, "group": 3}  # as Kafka's protocol numbers them
PATTERNS = {"literal": 3, "prefix": 4}
OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8, "DescribeConfigs": 10}
ALLOW = 3
ROW_SECONDS = 90.0


class GuardedKafka(KafkaUnderTest):
    """A broker with a second listener, on which rights count."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (port,) = free_ports(1)
        self.guarded = f"{HOST}:{port}"
        listeners = f"PLAINTEXT://{self.bootstrap},SASL_PLAINTEXT://{self.guarded}"
        controller = f"CONTROLLER://{HOST}:{self.broker.controller_port}"
        known = " ".join(f'user_{name}="{name}"' for name in _names())
        module = "org.apache.kafka.common.security.plain.PlainLoginModule"
        settings = (
            ("listeners", f"{listeners},{controller}"),
            ("advertised.listeners", listeners),
            (
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            ),
            ("sasl.enabled.mechanisms", "PLAIN"),
            (
                "listener.name.sasl_plaintext.plain.sasl.jaas.config",
                f"{module} required {known};",
            ),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            ("super.users", "User:ANONYMOUS"),
        )
        self.broker = structs.replace(self.broker, settings=settings)
        local_kafka.prepare(self.broker)


def _names() -> list[str]:
    return [one["metadata"]["name"] for one in USERS]


async def _give_rights(bootstrap: str) -> None:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        for user in USERS:
            for acl in user["spec"]["authorization"]["acls"]:
                what = acl["resource"]
                for operation in acl["operations"]:
                    request = CreateAclsRequest(
                        RESOURCES[what["type"]],
                        what["name"],
                        PATTERNS[what["patternType"]],
                        f"User:{user['metadata']['name']}",
                        "*",
                        OPERATIONS[operation],
                        ALLOW,
                    )
                    answer = await client.send(client.get_random_node(), request)
                    assert answer.creation_responses[0][0] == 0
    finally:
        await client.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    broker = GuardedKafka(tmp_path_factory.mktemp("guarded"))
    broker.start()
    provision_topics(ProvisionOptions(bootstrap=broker.bootstrap, replication_factor=1))
    asyncio.run(_give_rights(broker.bootstrap))
    yield broker
    broker.stop()


def access(guarded: GuardedKafka, name: str) -> dict[str, str]:
    return {
        "TELEMETRY_KAFKA_BOOTSTRAP": guarded.guarded,
        "TELEMETRY_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "TELEMETRY_KAFKA_SASL_MECHANISM": "PLAIN",
        "TELEMETRY_KAFKA_SASL_USERNAME": name,
        "TELEMETRY_KAFKA_SASL_PASSWORD": name,
    }


def provision(guarded: GuardedKafka, name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra", "provision"],
        env={
            **os.environ, **access(guarded, name), "TELEMETRY_KAFKA_REPLICATION_FACTOR": "1",
        },
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_the_operator_s_account_sees_that_topics_are_right(guarded: GuardedKafka) -> None:
    done = provision(guarded, "telemetry-operator")

    assert (done.returncode, done.stdout) == (GOOD, "all topics are there\n"), done.stderr


def test_another_account_may_not(guarded: GuardedKafka) -> None:
    assert provision(guarded, "telemetry-gateway").returncode == FOUND_WRONG


def test_every_program_may_what_it_does(
    guarded: GuardedKafka,
    clickhouse: ClickHouseUnderTest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = {
        "TELEMETRY_CLICKHOUSE_URL": clickhouse.url,
        "TELEMETRY_CLICKHOUSE_USER": clickhouse.user,
        "TELEMETRY_CLICKHOUSE_PASSWORD": clickhouse.password,
    }
    rules = {"TELEMETRY_ALERTS_RULES": str(compose.FOLDER / "alerts.toml")}
    app = f"app-{uuid4()}"
    add_key(app, tmp_path)
    for name, value in access(guarded, "telemetry-gateway").items():
        monkeypatch.setenv(name, value)
    programs: list[Process] = []
    try:
        gateway = GatewayProcess(guarded.guarded, tmp_path, spool_bytes=0)
        programs.append(gateway)
        for name, command, more in (
            ("sink", ["run", "--instance", "one"], store),
            ("alerts", ["run", "alerts"], {**store, **rules}),
        ):
            environment = {**access(guarded, f"telemetry-{name}"), **more}
            ready = f"{name} ready"
            programs.append(
                Process(["sinks", *command], environment, ready, tmp_path / f"{name}.log")
            )
            programs[-1].wait_ready()
        gateway.wait_until_ready()
        good, bad = str(uuid4()), str(uuid4())
        now = "2026-11-26T00:00:00Z"
        events = [
            {"event_id": good, "type": "app_open", "timestamp": now, "sequence": 1},
            {"event_id": bad, "type": "app_open"},
        ]
        context = {"device": {"id": "guarded"}, "app": {"version": "1"}}

        status, answer = gateway.post({"sent_at": now, "context": context, "events": events})

        assert (status, json.loads(answer)["accepted"]) == (200, 1), answer
        for table in ("events", "dead_letters"):
            sql = f"SELECT count() FROM telemetry.{table} WHERE app_id = {{app:String}}"
            wait_until(
                lambda sql=sql: int(clickhouse.rows(sql, app=app)[0][0]) == 1,  # type: ignore[misc]
                ROW_SECONDS,
                f"the row in {table}",
            )
        assert [one.stop() for one in programs] == [GOOD] * 3
    finally:
        for one in programs:
            if not one.is_dead():
                one.kill()
