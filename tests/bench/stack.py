"""The broker of a benchmark, and what lies in it afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from infra.provision import ProvisionOptions, provision
from tests.bench.candidates import YARDSTICK_TOPIC, pin_others
from tests.kafka import KafkaUnderTest

PARTITIONS = 12


@contextmanager
def broker(folder: Path) -> Iterator[KafkaUnderTest]:
    """Kafka with the topics of every candidate, off the gateways' core."""
    pin_others()
    kafka = KafkaUnderTest(folder)
    kafka.start()
    try:
        asyncio.run(_topics(kafka.bootstrap))
        yield kafka
    finally:
        kafka.stop()


async def _topics(bootstrap: str) -> None:
    await provision(ProvisionOptions(bootstrap=bootstrap, replication_factor=1))
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(YARDSTICK_TOPIC, PARTITIONS, 1)])
    await admin.close()


async def stored(bootstrap: str, topic: str) -> int:
    """Records that can be read from a topic, one by one."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        wanted, found = sum(ends.values()), 0
        while found < wanted:
            polled = await consumer.getmany(timeout_ms=5_000, max_records=20_000)
            if not polled:
                return found
            found += sum(len(records) for records in polled.values())
        return found
    finally:
        await consumer.stop()
