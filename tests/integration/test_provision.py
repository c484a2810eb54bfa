"""Topics on a real Kafka: made once, compared ever after, never changed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from gateway.contract.topics import APP_EVENTS, TOPICS
from infra.provision import ProvisionError, ProvisionOptions, provision
from tests.kafka import KafkaUnderTest, wait_until

NAMES = [one.name for one in TOPICS]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaUnderTest]:
    """A broker without topics."""
    under_test = KafkaUnderTest(tmp_path_factory.mktemp("kafka"))
    under_test.start()
    yield under_test
    under_test.stop()


@pytest.fixture
def bare(broker: KafkaUnderTest) -> KafkaUnderTest:
    asyncio.run(_delete_all(broker.bootstrap))
    wait_until(lambda: not asyncio.run(_listed(broker.bootstrap)), what="the end of the topics")
    return broker


async def _delete_all(bootstrap: str) -> None:
    """Both by name: Kafka lists a topic, and lets go of it, a moment after it said so."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(NAMES)
    finally:
        await admin.close()


async def _listed(bootstrap: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return set(NAMES) & set(await admin.list_topics())
    finally:
        await admin.close()


def settings_of(bootstrap: str, topic: str) -> dict[str, str]:
    """Its configuration, once Kafka shows a topic that was just made."""
    found: dict[str, str] = {}

    def is_shown() -> bool:
        found.update(asyncio.run(_described(bootstrap, topic)))
        return bool(found)

    wait_until(is_shown, what=f"the settings of {topic}")
    return found


async def _described(bootstrap: str, topic: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        (response,) = await admin.describe_configs([resource])
    finally:
        await admin.close()
    return {entry[0]: entry[1] for entry in response.resources[0][4]}


def options(broker: KafkaUnderTest, **changes: int) -> ProvisionOptions:
    plain = ProvisionOptions(bootstrap=broker.bootstrap, replication_factor=1)
    return msgspec.structs.replace(plain, **changes)


class TestProvision:
    def test_topics_are_made_as_the_table_says(self, bare: KafkaUnderTest) -> None:
        made = asyncio.run(provision(options(bare)))

        settings = settings_of(bare.bootstrap, APP_EVENTS.name)
        assert made == NAMES
        assert settings["retention.ms"] == str(APP_EVENTS.retention_ms)
        assert settings["cleanup.policy"] == "delete"
        assert settings["unclean.leader.election.enable"] == "false"

    def test_a_second_time_there_is_nothing_to_do(self, bare: KafkaUnderTest) -> None:
        asyncio.run(provision(options(bare)))

        assert asyncio.run(provision(options(bare))) == []

    def test_two_at_once_leave_what_one_leaves(self, bare: KafkaUnderTest) -> None:
        async def both() -> tuple[list[str], list[str]]:
            return await asyncio.gather(provision(options(bare)), provision(options(bare)))

        one, other = asyncio.run(both())

        assert sorted(one + other) == sorted(NAMES)

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"partitions": 6}, "topic app-events: partitions is 12, expected 6"),
            (
                {"retention_ms": 7_200_000},
                "topic app-events: retention.ms is 604800000, expected 7200000",
            ),
        ],
    )
    def test_a_topic_that_differs_stops_it_and_is_left_alone(
        self, bare: KafkaUnderTest, changes: dict[str, int], text: str
    ) -> None:
        asyncio.run(provision(options(bare)))
        before = settings_of(bare.bootstrap, APP_EVENTS.name)

        with pytest.raises(ProvisionError) as told:
            asyncio.run(provision(options(bare, **changes)))

        assert str(told.value) == text
        assert settings_of(bare.bootstrap, APP_EVENTS.name) == before

    def test_more_copies_than_brokers_is_kafka_s_own_error(self, bare: KafkaUnderTest) -> None:
        with pytest.raises(ProvisionError, match="InvalidReplicationFactor"):
            asyncio.run(provision(options(bare, replication_factor=3)))


class TestCommand:
    def run(self, bootstrap: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "infra", "provision"],
            env={**os.environ, "TELEMETRY_KAFKA_BOOTSTRAP": bootstrap, **environment},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def test_it_says_what_it_made(self, bare: KafkaUnderTest) -> None:
        single = {"TELEMETRY_KAFKA_REPLICATION_FACTOR": "1"}
        first, second = self.run(bare.bootstrap, **single), self.run(bare.bootstrap, **single)

        assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
        assert first.stdout.split("\n")[: len(NAMES)] == [f"made topic {name}" for name in NAMES]
        assert second.stdout == "all topics are there\n"

    def test_what_is_wrong_is_exit_code_1_and_one_line(self, tmp_path: Path) -> None:
        done = self.run("127.0.0.1:1")

        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("telemetry-infra: Kafka at 127.0.0.1:1: ")
