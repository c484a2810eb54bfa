"""Fixtures of the real engines: one Apache Kafka and one ClickHouse engine for the whole run, and a
Kafka for a file that needs the whole log to be its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.provision import ProvisionOptions
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest, provision_topics


def _kafka(folder: Path) -> Iterator[KafkaUnderTest]:
    broker = KafkaUnderTest(folder)
    broker.start()
    provision_topics(ProvisionOptions(bootstrap=broker.bootstrap, replication_factor=1))
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaUnderTest]:
    yield from _kafka(tmp_path_factory.mktemp("kafka"))


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaUnderTest]:
    """One to whose log nobody else writes."""
    yield from _kafka(tmp_path_factory.mktemp("own-kafka"))


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseUnderTest]:
    front = ClickHouseUnderTest(tmp_path_factory.mktemp("clickhouse"))
    front.start()
    front.migrate()
    yield front
    assert front.stop() == 0
