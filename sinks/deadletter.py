"""Records that can never be stored, put aside before their chunk is inserted.

The original bytes go to `app-events-dead`; the headers say from where and why. A repeat after a
crash is harmless: (topic, partition, offset) identifies a dead letter.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from gateway.contract.dead_letter import MAX_TEXT_LENGTH, DeadLetter, Headers
from gateway.contract.topics import APP_EVENTS_DEAD, MAX_RECORD_BYTES
from sinks.sink import Bad

log = logging.getLogger(__name__)

SEND_SECONDS = 20.0
CLOSE_SECONDS = 5.0
MAX_KEY_BYTES = 1024
MAX_HEADER_BYTES = 8 * 1024  # of the record's own headers; beyond it they are left out


class DeadLetterWriter:
    """Writes dead letters with acks=all; a failed producer is replaced, not repaired."""

    def __init__(self, reach: Mapping[str, Any], waits: Callable[[], Iterator[float]]) -> None:
        self._reach = reach  # the options of a client: where brokers are, who we are
        self._waits = waits
        self._producer: AIOKafkaProducer | None = None

    async def bury(self, topic: str, partition: int, bad: Sequence[Bad]) -> None:
        """Returns when Kafka has all of them; tries until it does."""
        waits = self._waits()
        while bad:
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._send(topic, partition, bad)
                    return
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("dead letters wait: %s", str(error) or type(error).__name__)
                await self.close()
            await asyncio.sleep(next(waits))

    async def _send(self, topic: str, partition: int, bad: Sequence[Bad]) -> None:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **self._reach,
                acks="all",
                max_request_size=APP_EVENTS_DEAD.max_message_bytes,
                client_id="telemetry-sink-dead-letters",
            )
            self._producer = producer
            await producer.start()
        sent = [
            await self._producer.send(
                APP_EVENTS_DEAD.name,
                key=(one.record.key or b"")[:MAX_KEY_BYTES] or None,
                value=(one.record.value or b"")[:MAX_RECORD_BYTES],
                headers=_headers(topic, partition, one),
            )
            for one in bad
        ]
        await asyncio.gather(*sent)

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await producer.stop()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("the dead-letter producer did not stop: %s", type(error).__name__)


def is_cut(value: bytes, letter: DeadLetter) -> bool:
    """Whether a sink's letter holds only the beginning of its record."""
    return len(value) >= MAX_RECORD_BYTES and letter.text.endswith(" bytes)")


def _headers(topic: str, partition: int, bad: Bad) -> Headers:
    """The record's own, then the letter's: of two headers with one name the last one counts."""
    own = list(bad.record.headers)
    if sum(len(name) + len(value) for name, value in own) > MAX_HEADER_BYTES:
        own = []
    return own + _letter(topic, partition, bad).to_headers()


def _letter(topic: str, partition: int, bad: Bad) -> DeadLetter:
    size = len(bad.record.value or b"")
    cut = f" (cut from {size} bytes)" if size > MAX_RECORD_BYTES else ""
    return DeadLetter(
        source="sink",
        code=bad.code,
        text=bad.text[: MAX_TEXT_LENGTH - len(cut)] + cut,
        app_id=bad.bucket[0],
        app_version=bad.app_version,
        event_id=bad.event_id,
        origin_topic=topic,
        origin_partition=partition,
        origin_offset=bad.record.offset,
    )
