"""Fixtures of the real engines: one Apache Kafka and one ClickHouse engine for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kafka import KafkaUnderTest


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaUnderTest]:
    broker = KafkaUnderTest(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()
