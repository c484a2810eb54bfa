"""The state in Kafka: read whole at a take-over, then each change written before it counts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from gateway.contract.topics import APP_ALERTS_DEAD, APP_ALERTS_STATE
from sinks.alerts.metrics import Metrics
from sinks.alerts.state import Changes, State, stages
from sinks.deadline import deadline

log = logging.getLogger(__name__)

SEND_SECONDS = 10.0
READ_SECONDS = 10.0  # for one request
CLOSE_SECONDS = 5.0
FETCH_MS = 500

_Record = tuple[str, bytes | None, bytes | None, list[tuple[str, bytes]]]
_PLACE = TopicPartition(APP_ALERTS_STATE.name, 0)


class StateLog:
    """Reads and writes with acks=all; a failed producer is replaced, not repaired."""

    def __init__(self, reach: Mapping[str, Any], metrics: Metrics) -> None:
        self._reach = reach
        self._metrics = metrics
        self._producer: AIOKafkaProducer | None = None
        self._sending = asyncio.Lock()  # the loop and the channels share one producer

    async def load(self) -> State:
        """The state as it lies there. Raises KafkaError, OSError, TimeoutError."""
        state = State()
        consumer = AIOKafkaConsumer(
            **self._reach,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            client_id="telemetry-alerts-state",
        )
        try:
            async with deadline(READ_SECONDS):
                await consumer.start()
            await self._read(consumer, state)
        finally:
            await _stop(consumer)
        return state

    async def _read(self, consumer: AIOKafkaConsumer[bytes, bytes], state: State) -> None:
        consumer.assign([_PLACE])
        async with deadline(READ_SECONDS):
            end = (await consumer.end_offsets([_PLACE]))[_PLACE]
        consumer.seek(_PLACE, 0)
        while True:
            async with deadline(READ_SECONDS):
                if await consumer.position(_PLACE) >= end:
                    return
                got = await consumer.getmany(_PLACE, timeout_ms=FETCH_MS)
            for record in got.get(_PLACE, []):
                try:
                    state.load(record.key or b"", record.value)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    log.warning("%s: offset %d cannot be read", _PLACE.topic, record.offset)
                    self._metrics.state_entries_skipped.inc()

    async def append(self, changes: Changes) -> None:
        """Write changes of the state. Raises KafkaError, OSError, TimeoutError."""
        for stage in stages(changes):
            await self._send(
                [(APP_ALERTS_STATE.name, key, value, []) for key, value in stage.items()]
            )

    async def bury(self, value: bytes, headers: Mapping[str, str]) -> None:
        """Write a dead alert. Raises KafkaError, OSError, TimeoutError."""
        pairs = [(name, text.encode()) for name, text in headers.items()]
        await self._send([(APP_ALERTS_DEAD.name, None, value, pairs)])

    async def _send(self, records: list[_Record]) -> None:
        async with self._sending:
            await self._send_alone(records)

    async def _send_alone(self, records: list[_Record]) -> None:
        try:
            async with deadline(SEND_SECONDS):
                if self._producer is None:
                    self._producer = AIOKafkaProducer(
                        **self._reach, acks="all", client_id="telemetry-alerts"
                    )
                    await self._producer.start()
                sent = [
                    await self._producer.send(topic, value, key=key, headers=headers)
                    for topic, key, value, headers in records
                ]
                await asyncio.gather(*sent)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)


async def _stop(client: Any) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await client.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("a Kafka client of the alerts did not close: %s", type(error).__name__)
