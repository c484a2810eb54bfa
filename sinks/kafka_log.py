"""The Kafka log as recovery asks for it: bounds, one record, and where to fetch from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IllegalStateError, KafkaError

from sinks.deadline import deadline
from sinks.intent import Fenced
from sinks.sink import Retryable


class _EventId(msgspec.Struct):
    event_id: str


class KafkaLog:
    """Asks through the sink's own consumer; a single record through one of its own."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer[bytes, bytes],
        admin: AIOKafkaAdminClient,
        reach: Mapping[str, Any],
        timeout_seconds: float,
    ) -> None:
        self._consumer = consumer
        self._admin = admin
        self._reach = reach  # the options of a client: where brokers are, who we are
        self._timeout = timeout_seconds

    async def cluster(self) -> str:
        """The id of the Kafka cluster. Raises Retryable."""
        try:
            async with deadline(self._timeout):
                described = await self._admin.describe_cluster()
        except (KafkaError, TimeoutError, OSError) as error:
            raise Retryable(f"Kafka: {str(error) or type(error).__name__}") from None
        return str(described["cluster_id"])

    async def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """(first kept offset, end offset). Raises Retryable."""
        try:
            async with deadline(self._timeout):
                first = await self._consumer.beginning_offsets([partition])
                end = await self._consumer.end_offsets([partition])
        except (KafkaError, TimeoutError, OSError) as error:
            raise Retryable(f"Kafka: {str(error) or type(error).__name__}") from None
        return first[partition], end[partition]

    async def event_id_at(self, partition: TopicPartition, offset: int) -> str | None:
        """The event id of the record at `offset`; None when there is none. Raises Retryable.

        Deadlines bound its start and its read, and its stop.
        """
        reader: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
            **self._reach, enable_auto_commit=False
        )
        try:
            async with deadline(self._timeout):
                await reader.start()
                reader.assign([partition])
                reader.seek(partition, offset)
                record = await reader.getone(partition)
        except (KafkaError, TimeoutError, OSError) as error:
            raise Retryable(f"Kafka: {str(error) or type(error).__name__}") from None
        finally:
            with suppress(KafkaError, TimeoutError, OSError):  # it has read what it should
                async with deadline(self._timeout):
                    await reader.stop()
        if record.offset != offset or record.value is None:
            return None
        try:
            return msgspec.json.decode(record.value, type=_EventId).event_id
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Raises Fenced when the partition is no longer ours."""
        try:
            self._consumer.seek(partition, offset)
        except IllegalStateError as error:
            raise Fenced(str(error)) from None
