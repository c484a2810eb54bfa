"""What Kafka's client unpacks becomes ours in one step.

aiokafka makes a `ConsumerRecord` of eleven fields from each record: a tenth of what the sink spends
on a row. `PolledConsumer` has the step replaced, in its own fetch results and nowhere else. For
that it leans on `_fetcher`, its `_records`, a result's `_partition_records` and their
`_consumer_record`, all private: aiokafka is pinned.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.structs import ConsumerRecord

from sinks.sink import Polled


def polled(record: ConsumerRecord[bytes, bytes]) -> Polled:
    """A record as aiokafka has it, unpacked or made a ConsumerRecord, as ours."""
    return Polled(
        record.offset,
        record.key,
        record.value,
        record.timestamp,
        tuple([(name, value or b"") for name, value in record.headers]) if record.headers else (),
    )


class _Fetched(OrderedDict[TopicPartition, Any]):
    """Where aiokafka puts what it has fetched, until it is asked for."""

    def __setitem__(self, name: TopicPartition, result: Any) -> None:
        if isinstance(result, FetchResult):
            result._partition_records._consumer_record = lambda _, record: polled(record)
        super().__setitem__(name, result)


class PolledConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # its base is untyped
    """A consumer that is asked by `poll`, and by no other way."""

    async def start(self) -> None:
        """Raises what the client's own start raises."""
        await super().start()
        self._fetcher._records = _Fetched(self._fetcher._records)

    async def poll(
        self, *partitions: TopicPartition, timeout_ms: int
    ) -> dict[TopicPartition, list[Polled]]:
        """What is there of these partitions. Raises KafkaError, IllegalStateError."""
        found: dict[TopicPartition, list[Polled]]
        found = await self.getmany(*partitions, timeout_ms=timeout_ms)
        return found
