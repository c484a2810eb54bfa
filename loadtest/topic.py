"""What lies in `app-events`, read from its beginning to the end it has when the reading starts.

No consumer group: nothing is committed, nobody is disturbed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

from gateway.contract.kafka_refusal import knock
from gateway.contract.topics import APP_EVENTS
from loadtest.compare import Seen
from loadtest.digest import Record, of_record

ANSWER_SECONDS = 30.0  # longest silence of a broker
FETCH_MS = 500

T = TypeVar("T")

_decoder = msgspec.json.Decoder(Record)


class KafkaUnreachable(Exception):
    """No broker answers, or none that lets us read."""


class TopicSize(msgspec.Struct, frozen=True):
    """Offsets to read, and those that retention has already taken away."""

    records: int
    gone: int


class Topic:
    """An open reader of the topic. Raises KafkaUnreachable."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer[bytes, bytes],
        begins: dict[TopicPartition, int],
        ends: dict[TopicPartition, int],
    ) -> None:
        self._consumer = consumer
        self._begins = begins
        self._ends = ends

    @property
    def size(self) -> TopicSize:
        records = sum(end - self._begins[one] for one, end in self._ends.items())
        return TopicSize(records, sum(self._begins.values()))

    async def read(self, app: str, on_records: Callable[[int], None]) -> AsyncIterator[Seen]:
        """The events of one app, partition by partition in the order of their offsets.

        A record that cannot be read is none of them. `on_records` hears how many were looked at.
        """
        left = {one for one, end in self._ends.items() if self._begins[one] < end}
        for one in left:
            self._consumer.seek(one, self._begins[one])
        silent_since = asyncio.get_running_loop().time()
        while left:
            batches = await _answered(self._consumer.getmany(*left, timeout_ms=FETCH_MS))
            now = asyncio.get_running_loop().time()
            if batches:
                silent_since = now
            elif now - silent_since > ANSWER_SECONDS:
                raise KafkaUnreachable(f"no record within {ANSWER_SECONDS:g} s")
            for partition, records in batches.items():
                wanted = [one for one in records if one.offset < self._ends[partition]]
                on_records(len(wanted))
                for record in wanted:
                    if (seen := _seen(record, app)) is not None:
                        yield seen
                if await _answered(self._consumer.position(partition)) >= self._ends[partition]:
                    left.discard(partition)


@asynccontextmanager
async def open_topic(
    bootstrap: str, security: dict[str, Any], name: str = APP_EVENTS.name
) -> AsyncIterator[Topic]:
    """Raises KafkaUnreachable."""
    reason = await knock(bootstrap, security, create_conn, ANSWER_SECONDS)
    if reason is not None:
        raise KafkaUnreachable(reason)
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        name, bootstrap_servers=bootstrap, enable_auto_commit=False, **security
    )
    try:
        await _answered(consumer.start())
        partitions = sorted(consumer.assignment())  # without a group: all of the topic
        if not partitions:
            raise KafkaUnreachable(f"there is no topic {name}")
        begins = await _answered(consumer.beginning_offsets(partitions))
        yield Topic(consumer, begins, await _answered(consumer.end_offsets(partitions)))
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(consumer.stop(), ANSWER_SECONDS)


async def _answered(call: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await call
    except TimeoutError:
        raise KafkaUnreachable(f"no answer within {ANSWER_SECONDS:g} s") from None
    except (KafkaError, OSError, ValueError) as error:
        raise KafkaUnreachable(f"{type(error).__name__}: {error}") from None


def _seen(record: ConsumerRecord[bytes, bytes], app: str) -> Seen | None:
    try:
        event = _decoder.decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if event.app_id != app:
        return None
    return Seen(
        event.device_id,
        event.source_event_id or event.event_id,
        event.sequence,
        record.partition,
        record.offset,
        of_record(event),
    )
