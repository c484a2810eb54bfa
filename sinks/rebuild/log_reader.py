"""Ranges of offsets read from the log, without a consumer group."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata

from sinks.config import MB
from sinks.deadline import deadline
from sinks.kafka_clients import check_access
from sinks.polled import polled
from sinks.sink import Polled, Retryable

POLL_MS = 500
ASK_SECONDS = 20.0
SILENT_SECONDS = 30.0  # without a record although there are some
RETRY_SECONDS = 0.1


class LogReader:
    """A consumer and an admin client of one Kafka cluster. Raises Retryable."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer[bytes, bytes],
        admin: AIOKafkaAdminClient,
        cluster: str,
    ) -> None:
        self.cluster = cluster
        self._consumer = consumer
        self._admin = admin
        self._next = -1  # the offset that the consumer goes on from

    @classmethod
    async def open(cls, reach: Mapping[str, Any]) -> LogReader:
        """Raises Misconfigured as well."""
        await check_access(reach)
        admin = AIOKafkaAdminClient(**reach)
        consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
            **reach,
            client_id="telemetry-sink-replay",
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=4 * MB,
        )
        reader = cls(consumer, admin, "")
        try:
            async with deadline(ASK_SECONDS):
                await admin.start()
                reader.cluster = str((await admin.describe_cluster())["cluster_id"])
                await consumer.start()
        except BaseException as error:
            await reader.close()
            if isinstance(error, KafkaError | OSError | TimeoutError):
                raise _silent(error) from None
            raise
        return reader

    async def close(self) -> None:
        for stop in (self._consumer.stop, self._admin.close):
            with suppress(KafkaError, OSError, TimeoutError):
                async with deadline(ASK_SECONDS):
                    await stop()

    async def partitions(self, topic: str) -> list[TopicPartition]:
        try:
            async with deadline(ASK_SECONDS):
                (described,) = await self._admin.describe_topics([topic])
        except (KafkaError, OSError, TimeoutError) as error:
            raise _silent(error) from None
        return [TopicPartition(topic, one["partition"]) for one in described["partitions"]]

    async def first_kept(self, partition: TopicPartition) -> int:
        try:
            async with deadline(ASK_SECONDS):
                return int((await self._consumer.beginning_offsets([partition]))[partition])
        except (KafkaError, OSError, TimeoutError) as error:
            raise _silent(error) from None

    async def ends(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        try:
            async with deadline(ASK_SECONDS):
                return dict(await self._consumer.end_offsets(partitions))
        except (KafkaError, OSError, TimeoutError) as error:
            raise _silent(error) from None

    async def offset_at(self, partition: TopicPartition, time_ms: int) -> int | None:
        """The first offset that came to Kafka at `time_ms` or later; None: there is none yet."""
        try:
            async with deadline(ASK_SECONDS):
                found = (await self._consumer.offsets_for_times({partition: time_ms}))[partition]
        except (KafkaError, OSError, TimeoutError) as error:
            raise _silent(error) from None
        return None if found is None or found.offset < 0 else found.offset

    async def committed(
        self, group: str, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """The group's commits. A missing key is an error that aiokafka does not raise."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ASK_SECONDS):
                while True:
                    with suppress(KafkaError, OSError):
                        found: dict[
                            TopicPartition, OffsetAndMetadata
                        ] = await self._admin.list_consumer_group_offsets(
                            group, partitions=partitions
                        )
                        if len(found) == len(partitions):
                            return found
                    await asyncio.sleep(RETRY_SECONDS)
        raise Retryable(f"Kafka does not tell the offsets of group {group}")

    async def read(self, partition: TopicPartition, start: int, end: int) -> list[Polled] | None:
        """The records in [start, end); None when retention has taken some of them away."""
        if start < await self.first_kept(partition):
            return None
        if self._consumer.assignment() != {partition}:
            self._consumer.assign([partition])
            self._next = -1
        if self._next != start:  # a seek drops what was fetched ahead
            self._consumer.seek(partition, start)
        self._next = -1  # until all is read
        found: list[Polled] = []
        position = start
        try:
            while position < end:
                async with deadline(SILENT_SECONDS):
                    before = position
                    while position == before:
                        found += await self._poll(partition, end - position)
                        position = await self._consumer.position(partition)
        except OffsetOutOfRangeError:
            return None
        except (KafkaError, OSError, TimeoutError) as error:
            raise _silent(error) from None
        self._next = position
        return [one for one in found if one.offset < end]

    async def _poll(self, partition: TopicPartition, most: int) -> list[Polled]:
        got = await self._consumer.getmany(partition, timeout_ms=POLL_MS, max_records=most)
        return [polled(record) for record in got.get(partition, [])]


def _silent(error: BaseException) -> Retryable:
    return Retryable(f"Kafka: {str(error) or type(error).__name__}")
