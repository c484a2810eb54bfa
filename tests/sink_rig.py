"""A sink process between a real Kafka and a real ClickHouse, with a consumer group of its own.

The topics are shared by all tests of a run: each test has an app of its own, and a group without
offsets goes on from the rows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import OffsetAndMetadata

from gateway.contract.dead_letter import DeadLetter, from_headers
from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD
from sinks.intent import IDLE
from tests.builders import make_record
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import read_topic, wait_until
from tests.processes import Process, sink

SETTLE_SECONDS = 60.0
PARTITIONS = [
    TopicPartition(topic.name, one)
    for topic in (APP_EVENTS, APP_EVENTS_DEAD)
    for one in range(topic.partitions)
]

Offsets = dict[TopicPartition, OffsetAndMetadata]


class Brokers(Protocol):
    """One broker or a cluster."""

    @property
    def bootstrap(self) -> str:
        """host:port of each, comma-separated."""


class SinkRig:
    """Starts sinks, feeds them, and looks at what they leave."""

    def __init__(self, kafka: Brokers, clickhouse: ClickHouseUnderTest, folder: Path):
        self.kafka = kafka
        self.clickhouse = clickhouse
        self.url = clickhouse.url  # what the sinks are told; a test may put proxies there
        self.bootstrap = kafka.bootstrap
        self.group = f"sink-{uuid4()}"
        self.app = f"app-{uuid4()}"
        self.folder = folder
        self.sinks: list[Process] = []

    def start(self, instance: str | None = None, **options: object) -> Process:
        process = sink(
            self.bootstrap,
            self.url,
            self.clickhouse.user,
            self.clickhouse.password,
            self.folder / f"sink-{len(self.sinks)}.log",
            group=self.group,
            instance=instance,
            **options,  # type: ignore[arg-type]  # options of the sink, and its module
        )
        self.sinks.append(process)
        return process

    def close(self) -> None:
        for process in self.sinks:
            if not process.is_dead():
                process.thaw()
                process.kill()

    def record(self, **changes: Any) -> bytes:
        """A record of this test's app with an event id of its own."""
        fields = {"event_id": str(uuid4()), "app_id": self.app, **changes}
        return json.dumps(make_record(**fields)).encode()

    def send(
        self,
        values: Sequence[bytes],
        partition: int = 0,
        topic: str = APP_EVENTS.name,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> list[int]:
        """Write records to one partition; their offsets."""
        return asyncio.run(self._send(values, partition, topic, headers))

    async def _send(
        self,
        values: Sequence[bytes],
        partition: int,
        topic: str,
        headers: Sequence[tuple[str, bytes]],
    ) -> list[int]:
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap)
        await producer.start()
        try:
            sent = [
                await producer.send(
                    topic, value, key=b"device-1", partition=partition, headers=list(headers)
                )
                for value in values
            ]
            return [(await one).offset for one in sent]
        finally:
            await producer.stop()

    def wait_idle(self) -> None:
        """Until the group has an outcome for every record and nothing in flight."""
        wait_until(self.is_idle, SETTLE_SECONDS, "an outcome for every record")

    def is_idle(self) -> bool:
        offsets = self.committed()
        ends = asyncio.run(self._ends())  # afterwards: a chunk's letters come before its commit
        return all(
            end == 0
            or (
                place in offsets and (offsets[place].offset, offsets[place].metadata) == (end, IDLE)
            )
            for place, end in ends.items()
        )

    async def _ends(self) -> dict[TopicPartition, int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap)
        await consumer.start()
        try:
            ends: dict[TopicPartition, int] = await consumer.end_offsets(PARTITIONS)
        finally:
            await consumer.stop()
        return ends

    def committed(self) -> Offsets:
        return asyncio.run(self._committed())

    async def _committed(self) -> Offsets:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap)
        await admin.start()
        try:
            found: Offsets = await admin.list_consumer_group_offsets(self.group, None, PARTITIONS)
        except GroupCoordinatorNotAvailableError:  # the broker's first group is being made
            return {}
        finally:
            await admin.close()
        return found

    def letters(
        self, partition: int, offsets: Sequence[int]
    ) -> list[tuple[int, bytes, DeadLetter]]:
        """Dead letters of these records: origin offset, original bytes, and what they say."""
        found: list[tuple[int, bytes, DeadLetter]] = []
        for record in asyncio.run(read_topic(self.kafka.bootstrap, APP_EVENTS_DEAD.name)):
            letter = from_headers(record.headers)
            if letter.origin_partition == partition and letter.origin_offset in offsets:
                found.append((letter.origin_offset, record.value or b"", letter))
        return sorted(found, key=lambda one: one[0])

    def rows(self, columns: str, table: str = "events", order: str = "kafka_offset") -> list[Any]:
        """Rows of this test's app, without FINAL."""
        sql = f"SELECT {columns} FROM telemetry.{table} WHERE app_id = {{app:String}}"
        found = self.clickhouse.rows(f"{sql} ORDER BY {order}", app=self.app)
        return [row[0] if len(row) == 1 else tuple(row) for row in found]

    def offsets(self) -> list[int]:
        """Offsets of the rows of this test's app, each as often as it is stored."""
        return [int(one) for one in self.rows("kafka_offset")]
