"""Clients of the ClickHouse engine, one that writes and one that may only read; and a Kafka whose
topics hold valid records alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from infra.provision import ProvisionOptions
from sinks.clickhouse import sql
from sinks.clickhouse.sql import AsyncClient
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest, provision_topics


@pytest.fixture
async def writer(clickhouse: ClickHouseUnderTest) -> AsyncIterator[AsyncClient]:
    client = await sql.connect(clickhouse.server())
    yield client
    await client.close()


@pytest.fixture
async def reader(clickhouse: ClickHouseUnderTest) -> AsyncIterator[AsyncClient]:
    client = await sql.connect(
        sql.Server(url=clickhouse.url, user=clickhouse.reader, password=clickhouse.reader_password)
    )
    yield client
    await client.close()


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaUnderTest]:
    """The Kafka of tests about other consumers."""
    broker = KafkaUnderTest(tmp_path_factory.mktemp("hub"))
    broker.start()
    provision_topics(ProvisionOptions(bootstrap=broker.bootstrap, replication_factor=1))
    yield broker
    broker.stop()
