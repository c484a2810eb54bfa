"""One partition in our hands: recover, then chunk after chunk, each announced before its insert.

The order of commits and inserts is the whole of exactly once:
intent (commit of the chunk's start, naming its end) → dead letters → insert → next intent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from aiokafka import TopicPartition
from msgspec import Struct

from sinks.buffer import Buffer, CutRule
from sinks.chunk_writer import ChunkWriter
from sinks.intent import IDLE, Committed, GroupOffsets, Pin, intent_metadata
from sinks.metrics import Metrics
from sinks.recovery import Resume, resume_at
from sinks.sink import Chunk, Ledger, Polled, Retryable
from sinks.window import IdWindow

log = logging.getLogger(__name__)

RECOVERY_RETRY_SECONDS = 1.0


class Interrupted(Exception):
    """Stopped before recovery was complete: nothing is to be committed."""


class Log(Protocol):
    """The partition's log, as far as recovery must know it."""

    async def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """(first kept offset, end offset)."""

    async def event_id_at(self, partition: TopicPartition, offset: int) -> str | None:
        """The event id of the record at `offset`; None when it is gone or has none."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Fetch from `offset` on; what was fetched before is dropped."""


class PartitionRules(Struct, frozen=True):
    """Options of one partition's work."""

    cut: CutRule
    window_offsets: int
    buffer_bytes: int
    token_seconds: float


class Partition:
    """The life of one assigned partition. `run` is its task; the fetch loop calls `add`."""

    def __init__(
        self,
        name: TopicPartition,
        pin: Pin,
        cluster: str,
        offsets: GroupOffsets,
        ledger: Ledger,
        kafka_log: Log,
        writer: ChunkWriter,
        rules: PartitionRules,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.expect = 0  # the next offset to fetch
        self.is_ready = False  # recovered: may be fetched
        self.last_progress = clock()
        self._pin = pin
        self._cluster = cluster
        self._offsets = offsets
        self._ledger = ledger
        self._log = kafka_log
        self._writer = writer
        self._rules = rules
        self._metrics = metrics
        self._clock = clock
        self._buffer = Buffer(rules.cut)
        self._window = IdWindow(rules.window_offsets)
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._flushes = False
        self._is_replaying = False

    @property
    def is_full(self) -> bool:
        """No more is fetched; but an old chunk is repeated whole, whatever its size."""
        return self._buffer.bytes >= self._rules.buffer_bytes and not self._is_replaying

    def add(self, records: Sequence[Polled]) -> None:
        """Take fetched records, in order."""
        self.expect = records[-1].offset + 1
        self.last_progress = self._clock()
        self._metrics.poll(self.name.topic, len(records))
        self._buffer.add(records, self._clock())
        self._wake.set()

    def stop(self, *, flush: bool) -> None:
        """End after the chunk in work; `flush` stores first what the buffer holds."""
        self._is_stopping = True
        self._flushes = flush
        self._wake.set()

    async def run(self) -> None:
        """Recover, store until stopped, leave a clean commit.

        Raises Fenced, Interrupted, Misconfigured.
        """
        try:
            position = await self._recover()
            while not (self._is_stopping and not (self._flushes and len(self._buffer))):
                wait = self._buffer.seconds_until_ready(self._clock())
                if wait == 0 or (self._is_stopping and len(self._buffer)):
                    position = await self._next_chunk(position)
                else:
                    await self._sleep(wait)
        finally:
            self._metrics.give_back(self.name.topic, len(self._buffer))
        await self._offsets.commit(self.name, self._pin, position, IDLE)

    async def _sleep(self, seconds: float | None) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _next_chunk(self, start: int) -> int:
        """Cut, announce, store. Returns the next chunk's start."""
        records = self._buffer.cut(self._clock())
        end = records[-1].offset + 1
        try:
            await self._offsets.commit(self.name, self._pin, start, intent_metadata(end))
            await self._store(start, end, records)
        except BaseException:
            self._metrics.give_back(self.name.topic, len(records))
            raise
        if not len(self._buffer):
            # At once: it bounds the time over which ClickHouse must remember the token.
            await self._offsets.commit(self.name, self._pin, end, IDLE)
        return end

    async def _store(self, start: int, end: int, records: Sequence[Polled]) -> None:
        chunk = Chunk(self._cluster, self.name.topic, self.name.partition, start, end)
        await self._writer.store(chunk, records, self._window)
        self.last_progress = self._clock()
        place = (self.name.topic, str(self.name.partition))
        self._metrics.position.labels(*place).set(end)

    async def _recover(self) -> int:
        """Find where to go on; store again a chunk that was announced. Returns the position."""
        while True:
            try:
                resume = await self._resume()
                await self._fill_window(resume.offset)
                break
            except Retryable as error:
                log.warning("recovery of %s waits: %s", self.name, error)
                if self._is_stopping:
                    raise Interrupted from None
                await asyncio.sleep(RECOVERY_RETRY_SECONDS)
        self.expect = resume.offset
        self._is_replaying = resume.end is not None
        self._log.seek(self.name, resume.offset)
        self.is_ready = True
        log.info("%s: resume at %d, chunk end %s", self.name, resume.offset, resume.end)
        if resume.end is None:
            return resume.offset
        return await self._replay(resume.offset, resume.end)

    async def _resume(self) -> Resume:
        """An intent is in force before its chunk is stored again: it fences others off, and a
        crash in the replay finds it."""
        committed = await self._offsets.read(self.name)
        resume = await resume_at(
            self.name, committed, self._ledger, self._log, self._rules.token_seconds, self._metrics
        )
        if resume.end is not None and not _announces(committed, resume):
            metadata = intent_metadata(resume.end)
            await self._offsets.commit(self.name, self._pin, resume.offset, metadata)
        return resume

    async def _fill_window(self, position: int) -> None:
        start = position - self._rules.window_offsets
        topic, partition = self.name
        found = await self._ledger.identities(topic, partition, start, position)
        self._window = IdWindow(self._rules.window_offsets)
        self._window.remember(found, position)

    async def _replay(self, start: int, end: int) -> int:
        """Exactly the old bounds: the token then makes it no insert, or completes a torn one."""
        while self.expect < end:
            if self._is_stopping:
                raise Interrupted
            await self._sleep(None)
        self._is_replaying = False
        records = self._buffer.cut_before(end, self._clock())
        self._metrics.replays.labels(self.name.topic).inc()
        try:
            await self._store(start, end, records)
        except BaseException:
            self._metrics.give_back(self.name.topic, len(records))
            raise
        return end


def _announces(committed: Committed, resume: Resume) -> bool:
    return committed.offset == resume.offset and committed.end == resume.end
