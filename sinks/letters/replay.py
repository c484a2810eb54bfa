"""Puts dead letters back into `app-events`: same key, same partition, same bytes, and marks them.

A letter is marked after its record was acknowledged. Killed between the two, the next replay puts
it back once more: a copy, which the sink drops, rather than a loss.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import Struct

from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD
from gateway.runtime import now_ms
from sinks.letters.dead_topic import DeadTopic, KafkaSilent
from sinks.letters.letter import Letter, Place, headers_of, mark_of
from sinks.letters.plan import HARMLESS, Decision, Plan, Skip, Wanted

BATCH_LETTERS = 200
BATCH_BYTES = 4 * 1024 * 1024
BATCHES_PER_SECOND = 5  # at a rate: so that it is no series of bursts
SEND_SECONDS = 30.0  # for a batch and its marks
CLOSE_SECONDS = 5.0


class Report(Struct, frozen=True, kw_only=True):
    """What became of the letters that were asked for: matched = replayed + skipped."""

    matched: int
    replayed: int
    skipped: Counter[Skip]
    failure: str | None = None  # what ended it early

    @property
    def is_whole(self) -> bool:
        """Whether nothing was asked for in vain."""
        return self.failure is None and not self.skipped.keys() - HARMLESS


async def decide(dead: DeadTopic, wanted: Wanted, on_read: Callable[[], None]) -> Decision:
    """Read the whole topic. Raises KafkaSilent."""
    plan = Plan(wanted, dead.event_partitions)
    async for letter in dead.letters():
        plan.read(letter)
        on_read()
    return plan.close()


class Replayer:
    """Sends with an idempotent producer; it gives up at the first failure."""

    def __init__(
        self, reach: Mapping[str, Any], rate: float | None, on_replayed: Callable[[int], None]
    ) -> None:
        self._reach = reach  # the options of a client: where brokers are, who we are
        self._rate = rate  # records per second; None: as fast as it goes
        self._on_replayed = on_replayed
        self._due = 0.0  # when the next batch may go, on the monotonic clock

    async def run(self, dead: DeadTopic, decision: Decision) -> Report:
        """Put back what was decided, as far as Kafka takes it."""
        producer = AIOKafkaProducer(
            **self._reach,
            acks="all",
            enable_idempotence=True,
            max_request_size=APP_EVENTS.max_message_bytes,
            client_id="telemetry-sink-replay",
        )
        replayed, failure = 0, None
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await producer.start()
            async for batch in _batches(dead, decision.chosen, _batch_size(self._rate)):
                await self._pause(len(batch))
                async with asyncio.timeout(SEND_SECONDS):
                    await _send(producer, batch)
                replayed += len(batch)
                self._on_replayed(len(batch))
        except (KafkaSilent, KafkaError, OSError, TimeoutError) as error:
            failure = f"{type(error).__name__}: {error}".rstrip(": ")
        finally:
            await _close(producer)
        return _report(decision, replayed, failure)

    async def _pause(self, records: int) -> None:
        """Until the batch before has had its time; a late one is not made up for."""
        if self._rate is None:
            return
        now = time.monotonic()
        await asyncio.sleep(self._due - now)
        self._due = max(self._due, now) + records / self._rate


def _batch_size(rate: float | None) -> int:
    if rate is None:
        return BATCH_LETTERS
    return max(1, min(BATCH_LETTERS, int(rate / BATCHES_PER_SECOND)))


def _report(decision: Decision, replayed: int, failure: str | None) -> Report:
    reason = Skip.GONE if failure is None else Skip.FAILED
    skipped = decision.skipped + Counter({reason: len(decision.chosen) - replayed})
    return Report(matched=decision.matched, replayed=replayed, skipped=skipped, failure=failure)


async def _batches(
    dead: DeadTopic, chosen: Sequence[Place], most: int
) -> AsyncIterator[list[Letter]]:
    """The chosen letters, read once more."""
    wanted = set(chosen)
    start: dict[int, Place] = {}
    for place in chosen:
        start.setdefault(place[0], place)
    batch: list[Letter] = []
    size = 0
    async for letter in dead.letters(start):
        if letter.place not in wanted:
            continue
        batch.append(letter)
        size += len(letter.value)
        if len(batch) >= most or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


async def _send(producer: AIOKafkaProducer, batch: Sequence[Letter]) -> None:
    """The records, then their marks, each awaited."""
    timestamp_ms = now_ms()
    sent = [
        await producer.send(
            APP_EVENTS.name,
            letter.value,
            key=letter.key,
            partition=letter.says.origin_partition,
            timestamp_ms=timestamp_ms,
            headers=headers_of(letter),
        )
        for letter in batch
    ]
    offsets = [(await one).offset for one in sent]
    marks = [
        await producer.send(
            APP_EVENTS_DEAD.name,
            key=letter.key,
            partition=letter.place[0],
            headers=mark_of(letter, offset, timestamp_ms).to_headers(),
        )
        for letter, offset in zip(batch, offsets, strict=True)
    ]
    await asyncio.gather(*marks)


async def _close(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError):
        return
