"""The rig of the whole path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clickhouse import ClickHouseUnderTest
from tests.e2e.path_rig import PathRig
from tests.kafka import KafkaUnderTest


@pytest.fixture
def path(
    kafka: KafkaUnderTest, clickhouse: ClickHouseUnderTest, tmp_path: Path
) -> Iterator[PathRig]:
    rig = PathRig(kafka, clickhouse, tmp_path)
    yield rig
    rig.close()
    kafka.resume()
