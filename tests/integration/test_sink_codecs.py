"""A topic that its broker keeps compressed: the gateway sends as ever, the sink reads as ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.contract.topics import APP_EVENTS
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest, wait_until
from tests.sink_rig import SinkRig
from tests.topic_log import keep_as, on_disk

EVENTS = 300


@pytest.fixture
def rig(
    own_kafka: KafkaUnderTest, clickhouse: ClickHouseUnderTest, tmp_path: Path
) -> Iterator[SinkRig]:
    under_test = SinkRig(own_kafka, clickhouse, tmp_path)
    yield under_test
    asyncio.run(keep_as(own_kafka.bootstrap, APP_EVENTS.name, "producer"))
    under_test.close()


@pytest.mark.parametrize(("codec", "number"), [("lz4", 3), ("zstd", 4)])
def test_the_sink_stores_what_the_broker_has_compressed(
    rig: SinkRig, own_kafka: KafkaUnderTest, codec: str, number: int
) -> None:
    asyncio.run(keep_as(own_kafka.bootstrap, APP_EVENTS.name, codec))
    wait_until(
        lambda: _codec_now(rig, own_kafka.broker.folder) == number, 60, f"a batch kept as {codec}"
    )
    before = on_disk(own_kafka.broker.folder, APP_EVENTS.name)
    values = [rig.record(sequence=one) for one in range(EVENTS)]
    offsets = rig.send(values, partition=2)

    rig.start().wait_ready()
    wait_until(lambda: rig.offsets() == offsets, 60, "the rows")

    after = on_disk(own_kafka.broker.folder, APP_EVENTS.name)
    assert after.records - before.records == EVENTS
    assert set(after.codecs[before.batches :]) == {number}
    assert after.size - before.size < sum(len(one) for one in values) / 2


def _codec_now(rig: SinkRig, folder: Path) -> int:
    """How a record that is sent now is kept; one of another app, so that nobody counts it."""
    rig.send([rig.record(app_id="probe")], partition=2)
    return on_disk(folder, APP_EVENTS.name).codecs[-1]  # no other partition has any
