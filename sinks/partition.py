"""One partition in our hands: recover, then chunk after chunk, each announced before its insert.

The order of commits and inserts is the whole of exactly once:
intent (commit of the chunk's start, naming its end) → dead letters → insert → next intent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from aiokafka import TopicPartition
from msgspec import Struct

from sinks.buffer import Buffer, CutRule, Memory, Pace
from sinks.chunk_writer import ChunkWriter
from sinks.intent import IDLE, Committed, GroupOffsets, Pin, intent_metadata, paused_metadata
from sinks.metrics import Metrics
from sinks.pause import Gate
from sinks.recovery import PartitionLog, Recovery, Resume
from sinks.retry import Interrupted, Patience
from sinks.sink import Chunk, Ledger, Polled, Retryable
from sinks.window import IdWindow

T = TypeVar("T")

log = logging.getLogger(__name__)

REST_SECONDS = 0.1


class Parts(Struct, frozen=True):
    """What a partition works with. Sink, ledger and recovery are those of its topic."""

    cluster: str
    offsets: GroupOffsets
    ledger: Ledger
    kafka_log: PartitionLog
    recovery: Recovery
    writer: ChunkWriter
    patience: Patience
    memory: Memory
    pace: Pace | None  # None: chunks wait as long as the rule says
    gate: Gate
    at_work: asyncio.Semaphore  # chunks that may be stored at once, all partitions together
    metrics: Metrics
    clock: Callable[[], float]  # monotonic seconds


class Partition:
    """The life of one assigned partition. `run` is its task; the fetch loop calls `add`."""

    def __init__(
        self, name: TopicPartition, pin: Pin, parts: Parts, cut: CutRule, window_offsets: int
    ) -> None:
        self.name = name
        self.label = f"{name.topic}-{name.partition}"
        self.expect = 0  # the next offset to fetch
        self.position = 0  # the next offset to store
        self.is_ready = False  # recovered: may be fetched
        self.last_progress = parts.clock()
        self._pin = pin
        self._cluster = parts.cluster
        self._offsets = parts.offsets
        self._ledger = parts.ledger
        self._log = parts.kafka_log
        self._recovery = parts.recovery
        self._writer = parts.writer
        self._patience = parts.patience
        self._memory = parts.memory
        self._pace = parts.pace
        self._gate = parts.gate
        self._slots = parts.at_work
        self._metrics = parts.metrics
        self._clock = parts.clock
        self._buffer = Buffer(cut)
        self._window_offsets = window_offsets
        self._window = IdWindow(window_offsets)
        self._at_work: Sequence[Polled] = ()
        self._pending = 0  # records taken that have no outcome yet
        self._pending_bytes = 0
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._flushes = False
        self._is_replaying = False

    @property
    def is_full(self) -> bool:
        """No more is fetched: the next chunk lies ready, or memory is out. But an old chunk is
        repeated whole, whatever its size."""
        if self._is_replaying:
            return False
        return self._buffer.holds_chunk or self._memory.is_full

    @property
    def oldest_ms(self) -> int | None:
        """The timestamp of the oldest record that waits here for its outcome."""
        first = self._at_work[0] if self._at_work else self._buffer.first
        return None if first is None else first.timestamp_ms

    def add(self, records: Sequence[Polled]) -> None:
        """Take fetched records, in order."""
        gap = records[0].offset - self.expect
        if gap > 0:
            log.error(
                "%s: Kafka has no offsets %d to %d", self.label, self.expect, self.expect + gap
            )
            self._metrics.lost_offsets.labels(self.name.topic).inc(gap)
        self.expect = records[-1].offset + 1
        self.last_progress = self._clock()
        self._pending += len(records)
        self._metrics.poll(self.name.topic, len(records))
        before = self._buffer.bytes
        self._buffer.add(records, self._clock())
        self._hold(self._buffer.bytes - before)
        self._note_holding()
        self._wake.set()

    def stop(self, *, flush: bool) -> None:
        """End after the chunk in work; `flush` stores first what the buffer holds."""
        self._is_stopping = True
        self._flushes = flush
        self._patience.stop()
        self._wake.set()

    async def run(self) -> None:
        """Recover, store until stopped, leave a clean commit.

        Raises Fenced, Interrupted, Misconfigured.
        """
        try:
            await self._recover()
            await self._pass_gate()
            while not (self._is_stopping and not (self._flushes and len(self._buffer))):
                if self._gate.pause is not None:
                    await self._rest(self._gate.pause)
                    continue
                wait = self._seconds_until_ready()
                if wait == 0 or (self._is_stopping and len(self._buffer)):
                    await self._next_chunk()
                else:
                    await self._sleep(wait)
        finally:
            self._gate.wakes.discard(self._wake.set)
            self._metrics.give_back(self.name.topic, self._pending)
            self._hold(-self._pending_bytes)
            if self._pace is not None:
                self._pace.holding.discard(self.name)
        await self._offsets.commit(self.name, self._pin, self.position, IDLE)

    def _hold(self, size: int) -> None:
        self._pending_bytes += size
        self._memory.used_bytes += size
        self._metrics.held_bytes.set(self._memory.used_bytes)

    def _seconds_until_ready(self) -> float | None:
        stretch = 1.0 if self._pace is None else self._pace.stretch
        return self._buffer.seconds_until_ready(self._clock(), stretch)

    def _note_holding(self) -> None:
        if self._pace is not None and len(self._buffer):
            self._pace.holding.add(self.name)
        elif self._pace is not None:
            self._pace.holding.discard(self.name)

    async def _sleep(self, seconds: float | None) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _pass_gate(self) -> None:
        """Know of a pause before the first chunk: an owner before may have agreed to it."""
        self._gate.wakes.add(self._wake.set)
        await self._until_answered(self._gate.look, "the look for a pause")

    async def _rest(self, pause_id: str) -> None:
        """Store nothing until the pause is over. Raises Interrupted when told to stop meanwhile."""
        await self._offsets.commit(self.name, self._pin, self.position, paused_metadata(pause_id))
        log.info("%s: rests at %d for replay %s", self.label, self.position, pause_id)
        while self._gate.pause == pause_id:
            await self._patience.sleep(REST_SECONDS)
        await self._offsets.commit(self.name, self._pin, self.position, IDLE)

    async def _next_chunk(self) -> None:
        """Cut, announce, store."""
        async with self._slots:
            records = self._buffer.cut(self._clock())
            self._note_holding()
            end = records[-1].offset + 1
            await self._offsets.commit(self.name, self._pin, self.position, intent_metadata(end))
            await self._store(end, records)
        await self._acknowledge()

    async def _acknowledge(self) -> None:
        """When nothing waits, at once: it bounds how long ClickHouse must remember the token."""
        if not len(self._buffer):
            await self._offsets.commit(self.name, self._pin, self.position, IDLE)

    async def _store(
        self, end: int, records: Sequence[Polled], stored: set[int] | None = None
    ) -> None:
        topic, partition = self.name
        chunk = Chunk(self._cluster, topic, partition, self.position, end)
        self._at_work = records
        await self._writer.store(chunk, records, self._window, stored)
        self._at_work = ()
        self.position = end
        self.last_progress = self._clock()
        self._pending -= len(records)
        self._hold(self._buffer.bytes - self._pending_bytes)
        self._metrics.position.labels(topic, str(partition)).set(end)

    async def _recover(self) -> None:
        """Find where to go on; store again a chunk that was announced."""
        resume = await self._until_answered(self._found, "recovery")
        self.expect = self.position = resume.offset
        self._is_replaying = resume.end is not None
        self._log.seek(self.name, resume.offset)
        self.is_ready = True
        log.info("%s: resume at %d, chunk end %s", self.label, resume.offset, resume.end)
        if resume.end is not None:
            await self._replay(resume.end, is_old=resume.is_old)

    async def _found(self) -> Resume:
        resume = await self._resume()
        await self._fill_window(resume.offset)
        return resume

    async def _until_answered(self, ask: Callable[[], Awaitable[T]], what: str) -> T:
        waits = self._patience.waits()
        while True:
            try:
                return await ask()
            except Retryable as error:
                log.warning("%s of %s waits: %s", what, self.label, error)
                await self._patience.sleep(next(waits))

    async def _resume(self) -> Resume:
        """An intent is in force before its chunk is stored again: it fences others off, and a
        crash in the replay finds it."""
        committed = await self._offsets.read(self.name)
        resume = await self._recovery.resume_at(self.name, committed)
        if resume.end is not None and not _announces(committed, resume):
            metadata = intent_metadata(resume.end)
            await self._offsets.commit(self.name, self._pin, resume.offset, metadata)
        return resume

    async def _fill_window(self, position: int) -> None:
        if not self._window_offsets:
            return
        topic, partition = self.name
        start = position - self._window_offsets
        found = await self._ledger.identities(topic, partition, start, position)
        self._window = IdWindow(self._window_offsets)
        self._window.remember(found, position)

    async def _replay(self, end: int, *, is_old: bool) -> None:
        """Exactly the old bounds: the token then makes it no insert, or completes a torn one. Of a
        chunk whose token may be forgotten, what is settled is left out.

        What is chosen now is not always what was inserted then: merges may have taken a row before
        the chunk for a copy in it. So the window is filled from the rows again.
        """
        while self.expect < end:
            if self._is_stopping:
                raise Interrupted
            await self._sleep(None)
        self._is_replaying = False
        self._metrics.replays.labels(self.name.topic).inc()
        async with self._slots:
            records = self._buffer.cut_before(end, self._clock())
            self._note_holding()
            stored = await self._settled(records) if is_old else None
            await self._store(end, records, stored)
        await self._until_answered(partial(self._fill_window, end), "the window")
        await self._acknowledge()

    async def _settled(self, records: Sequence[Polled]) -> set[int]:
        topic, partition = self.name
        ask = partial(self._ledger.settled, topic, partition, records)
        return await self._until_answered(ask, "the look at an old chunk")


def _announces(committed: Committed, resume: Resume) -> bool:
    return committed.offset == resume.offset and committed.end == resume.end
