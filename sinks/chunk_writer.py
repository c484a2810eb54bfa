"""One chunk's records, stored: checked, the bad ones buried, copies dropped, the rest inserted.

What it does is a function of the log and of the window, so the same chunk again is the same
insert again.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import repeat
from typing import Protocol

from gateway.runtime import now_ms
from sinks.brake import Brake
from sinks.metrics import Metrics
from sinks.retry import Patience
from sinks.rows import bad_row
from sinks.sink import (
    Bad,
    Block,
    Chunk,
    Misconfigured,
    Polled,
    Retryable,
    Row,
    Sink,
    Tally,
    Unwritable,
)
from sinks.window import Choice, IdWindow

log = logging.getLogger(__name__)


class Graveyard(Protocol):
    """Where records go that can never be stored."""

    async def bury(self, topic: str, partition: int, bad: Sequence[Bad]) -> None:
        """Returns when all of them are kept; tries until they are."""


class ChunkTraces(Protocol):
    """Follows chunks that have records of traced POSTs."""

    def span(
        self, chunk: Chunk, records: Sequence[Polled]
    ) -> contextlib.AbstractContextManager[None]:
        """Around the storing of a chunk."""


class ChunkWriter:
    """Stores the chunks of one partition, one after another."""

    def __init__(
        self,
        read: Callable[[Polled], Row | Bad],
        sink: Sink,
        graveyard: Graveyard,
        brake: Brake,
        metrics: Metrics,
        patience: Patience,
        traces: ChunkTraces | None = None,
    ) -> None:
        self._traces = traces
        self._read_record = read
        self._sink = sink
        self._graveyard = graveyard
        self._brake = brake
        self._metrics = metrics
        self._patience = patience

    async def store(
        self,
        chunk: Chunk,
        records: Sequence[Polled],
        window: IdWindow,
        stored: Collection[int] | None = None,
    ) -> None:
        """Every record of the chunk has its outcome when this returns.

        `stored` is for a chunk so old that its token may be forgotten: the offsets it has rows
        of already, which are not written again. Raises Misconfigured when the operator must act,
        Interrupted.
        """
        if self._traces is None:
            await self._store(chunk, records, window, stored)
            return
        with self._traces.span(chunk, records):
            await self._store(chunk, records, window, stored)

    async def _store(
        self,
        chunk: Chunk,
        records: Sequence[Polled],
        window: IdWindow,
        stored: Collection[int] | None,
    ) -> None:
        rows, bad = self._read(records)
        await self._bury(chunk, records, bad, already=set())
        while True:
            choice = window.choose(rows)
            block = _block(chunk, choice, bad, stored)
            try:
                await self._write(block)
                break
            except Unwritable as error:
                found = await self._find_bad(block, str(error))
            already = {one.record.offset for one in bad}
            by_offset = {one.offset: one for one in records}
            bad = bad + [bad_row(by_offset[offset], text) for offset, text in found]
            dead = {one.record.offset for one in bad}
            rows = [row for row in rows if row.offset not in dead]
            await self._bury(chunk, records, bad, already)
        self._settle(chunk, records, choice, bad, window)

    def _read(self, records: Sequence[Polled]) -> tuple[list[Row], list[Bad]]:
        rows: list[Row] = []
        bad: list[Bad] = []
        for record in records:
            read = self._read_record(record)
            if isinstance(read, Row):
                rows.append(read)
            else:
                bad.append(read)
        return rows, bad

    async def _bury(
        self, chunk: Chunk, records: Sequence[Polled], bad: Sequence[Bad], already: set[int]
    ) -> None:
        """Before the insert: behind it, a crash between the two would lose the letter."""
        if not bad:
            return
        dead = {one.record.offset for one in bad}
        reason = self._brake.judge(record.offset in dead for record in records)
        if reason:
            raise Misconfigured(
                f"{chunk.topic}-{chunk.partition} at offset {chunk.start}: {reason}, the last "
                f"because: {bad[-1].text}; mend what writes them, or raise the brake"
            )
        fresh = [one for one in bad if one.record.offset not in already]
        await self._graveyard.bury(chunk.topic, chunk.partition, fresh)

    async def _write(self, block: Block) -> None:
        """Until ClickHouse takes it: the same block under the same token."""
        waits = self._patience.waits()
        is_waiting = 0
        try:
            while True:
                started = time.monotonic()
                try:
                    await self._sink.write(block)
                except Retryable as error:
                    self._metrics.retries.labels(error.cause).inc()
                    log.warning("insert waits: %s", error)
                    self._metrics.waiting += 1 - is_waiting
                    is_waiting = 1
                    await self._patience.sleep(next(waits))
                else:
                    self._metrics.insert_seconds.observe(time.monotonic() - started)
                    return
        finally:
            self._metrics.waiting -= is_waiting

    async def _find_bad(self, block: Block, refused: str) -> list[tuple[int, str]]:
        waits = self._patience.waits()
        while True:
            try:
                found = await self._sink.find_bad(block)
            except Retryable as error:
                log.warning("bisecting waits: %s", error)
                await self._patience.sleep(next(waits))
                continue
            if not found:
                raise Misconfigured(
                    f"ClickHouse refuses chunk {block.chunk.token}, but none of its rows: {refused}"
                )
            return sorted(found.items())

    def _settle(
        self,
        chunk: Chunk,
        records: Sequence[Polled],
        choice: Choice,
        bad: Sequence[Bad],
        window: IdWindow,
    ) -> None:
        window.remember([(row.offset, row.identity) for row in choice.kept], chunk.end)
        if bad:
            dead = {one.record.offset for one in bad}
            self._brake.record(record.offset in dead for record in records)
        else:
            self._brake.record(repeat(False, len(records)))
        self._metrics.settle(chunk.topic, len(choice.kept), len(choice.dropped), len(bad))
        age = (now_ms() - records[0].timestamp_ms) / 1000
        self._metrics.chunk_age_seconds.observe(max(0.0, age))
        for code, count in Counter(one.code for one in bad).items():
            self._metrics.dead_letters.labels(code).inc(count)


def _block(
    chunk: Chunk, choice: Choice, bad: Sequence[Bad], stored: Collection[int] | None
) -> Block:
    """What is missing of an old chunk needs a token of its own: under the chunk's own, rows that
    differ from those remembered would be dropped without an error."""
    tallies = _tallies(choice, bad)
    if stored is None:
        return Block(chunk, choice.kept, tallies, chunk.token)
    missing = [row for row in choice.kept if row.offset not in stored]
    return Block(chunk, missing, tallies, f"{chunk.token}:late")


def _tallies(choice: Choice, bad: Sequence[Bad]) -> dict[tuple[str, int], Tally]:
    kept = Counter([row.bucket for row in choice.kept])
    tallies = {bucket: Tally(inserted=count) for bucket, count in kept.items()}
    for row in choice.dropped:
        tallies.setdefault(row.bucket, Tally()).duplicates += 1
    for one in bad:
        tallies.setdefault(one.bucket, Tally()).dead += 1
    return tallies
