"""`app-events-dead` read from end to end, as it stood when it was opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD
from sinks.kafka_clients import check_access
from sinks.letters.letter import Letter, Place, letter_of
from sinks.sink import Misconfigured

POLL_MS = 500
START_SECONDS = 20.0
SILENT_SECONDS = 20.0  # without a single record although there are some
CLOSE_SECONDS = 10.0


class KafkaSilent(Exception):
    """Kafka is not there, or does not go on, or lacks a topic."""


class DeadTopic:
    """Reads with a consumer of its own and no group. What comes after `open` is not read: a record
    that is put back and fails again is a letter for the next time."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer[bytes, bytes],
        bounds: dict[TopicPartition, tuple[int, int]],
        event_partitions: int,
    ) -> None:
        self._consumer = consumer
        self._bounds = bounds  # (first kept offset, end offset)
        self.event_partitions = event_partitions

    @classmethod
    async def open(cls, reach: Mapping[str, Any]) -> DeadTopic:
        """Raises KafkaSilent."""
        consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
            **reach,
            client_id="telemetry-sink-letters",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            await check_access(reach)
            async with asyncio.timeout(START_SECONDS):
                counts = await _counts(reach)
                await consumer.start()
                count = counts[APP_EVENTS_DEAD.name]
                dead = [TopicPartition(APP_EVENTS_DEAD.name, one) for one in range(count)]
                first = await consumer.beginning_offsets(dead)
                end = await consumer.end_offsets(dead)
        except BaseException as error:
            await _stop(consumer)
            if isinstance(error, Misconfigured):
                raise KafkaSilent(str(error)) from None
            if isinstance(error, KafkaError | OSError | TimeoutError):
                raise KafkaSilent(f"Kafka: {str(error) or type(error).__name__}") from None
            raise
        bounds = {name: (first[name], end[name]) for name in dead}
        return cls(consumer, bounds, counts[APP_EVENTS.name])

    async def close(self) -> None:
        await _stop(self._consumer)

    @property
    def length(self) -> int:
        """How many offsets there are to read."""
        return sum(end - first for first, end in self._bounds.values())

    async def letters(self, start: Mapping[int, Place] | None = None) -> AsyncIterator[Letter]:
        """Every letter, each partition in its order. With `start`, only its partitions, each from
        its place on. Raises KafkaSilent."""
        begin = {
            name: first if start is None else start[name.partition][1]
            for name, (first, _) in self._bounds.items()
            if start is None or name.partition in start
        }
        left = {name for name, offset in begin.items() if offset < self._bounds[name][1]}
        if not left:
            return
        self._consumer.assign(sorted(left))
        for name in left:
            self._consumer.seek(name, begin[name])
        while left:
            for name, letters in (await self._poll(left)).items():
                for letter in letters:
                    if letter.place[1] < self._bounds[name][1]:
                        yield letter

    async def _poll(self, left: set[TopicPartition]) -> dict[TopicPartition, list[Letter]]:
        """The next letters; partitions that are read to their end leave `left`."""
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                while True:
                    got = await self._consumer.getmany(*left, timeout_ms=POLL_MS)
                    for name in list(left):
                        if await self._consumer.position(name) >= self._bounds[name][1]:
                            left.discard(name)
                    if got or not left:
                        break
        except (KafkaError, OSError, TimeoutError) as error:
            raise KafkaSilent(f"Kafka: {str(error) or type(error).__name__}") from None
        return {name: [letter_of(record) for record in records] for name, records in got.items()}


async def _counts(reach: Mapping[str, Any]) -> dict[str, int]:
    """How many partitions both topics have. Raises KafkaSilent when one does not exist."""
    admin = AIOKafkaAdminClient(**reach)
    try:
        await admin.start()
        described = await admin.describe_topics([APP_EVENTS.name, APP_EVENTS_DEAD.name])
    finally:
        await admin.close()
    for one in described:
        if one["error_code"]:
            raise KafkaSilent(
                f"topic {one['topic']} does not exist; run `telemetry-infra provision`"
            )
    return {one["topic"]: len(one["partitions"]) for one in described}


async def _stop(consumer: AIOKafkaConsumer[bytes, bytes]) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await consumer.stop()
    except (KafkaError, OSError, TimeoutError):
        return
