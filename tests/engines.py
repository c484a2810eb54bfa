"""Fixtures of the real engines: one Apache Kafka and one ClickHouse engine for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.provision import ProvisionOptions
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest, provision_topics


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaUnderTest]:
    broker = KafkaUnderTest(tmp_path_factory.mktemp("kafka"))
    broker.start()
    provision_topics(ProvisionOptions(bootstrap=broker.bootstrap, replication_factor=1))
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseUnderTest]:
    front = ClickHouseUnderTest(tmp_path_factory.mktemp("clickhouse"))
    front.start()
    front.migrate()
    yield front
    assert front.stop() == 0
