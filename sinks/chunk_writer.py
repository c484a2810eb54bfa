"""One chunk's records, stored: checked, the bad ones buried, copies dropped, the rest inserted.

What it does is a function of the log and of the window, so the same chunk again is the same
insert again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from sinks.brake import Brake
from sinks.clickhouse.tables import Table
from sinks.deadletter import DeadLetterWriter
from sinks.metrics import Metrics
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


class ChunkWriter:
    """Stores the chunks of one partition, one after another."""

    def __init__(
        self,
        table: Table,
        sink: Sink,
        dead_letters: DeadLetterWriter,
        brake: Brake,
        metrics: Metrics,
        waits: Iterator[float],
    ) -> None:
        self._table = table
        self._sink = sink
        self._dead_letters = dead_letters
        self._brake = brake
        self._metrics = metrics
        self._waits = waits

    async def store(self, chunk: Chunk, records: Sequence[Polled], window: IdWindow) -> None:
        """Every record of the chunk has its outcome when this returns.

        Raises Misconfigured when the operator must act.
        """
        rows, bad = self._read(records)
        await self._bury(chunk, records, bad, already=set())
        while True:
            choice = window.choose(rows)
            block = Block(chunk, choice.kept, _tallies(choice, bad))
            try:
                await self._write(block)
                break
            except Unwritable as error:
                found = await self._find_bad(block, str(error))
            already = {one.record.offset for one in bad}
            by_offset = {one.offset: one for one in records}
            bad = bad + [bad_row(by_offset[offset], "refused", text) for offset, text in found]
            dead = {one.record.offset for one in bad}
            rows = [row for row in rows if row.offset not in dead]
            await self._bury(chunk, records, bad, already)
        self._settle(chunk, records, choice, bad, window)

    def _read(self, records: Sequence[Polled]) -> tuple[list[Row], list[Bad]]:
        rows: list[Row] = []
        bad: list[Bad] = []
        for record in records:
            read = self._table.read(record)
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
        await self._dead_letters.bury(chunk.topic, chunk.partition, fresh)

    async def _write(self, block: Block) -> None:
        """Until ClickHouse takes it: the same block under the same token."""
        while True:
            started = time.monotonic()
            try:
                await self._sink.write(block)
            except Retryable as error:
                self._metrics.retries.inc()
                log.warning("insert waits: %s", error)
                await asyncio.sleep(next(self._waits))
            else:
                self._metrics.insert_seconds.observe(time.monotonic() - started)
                return

    async def _find_bad(self, block: Block, refused: str) -> list[tuple[int, str]]:
        while True:
            try:
                found = await self._sink.find_bad(block)
            except Retryable as error:
                log.warning("bisecting waits: %s", error)
                await asyncio.sleep(next(self._waits))
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
        window.remember(((row.offset, row.identity) for row in choice.kept), chunk.end)
        dead = {one.record.offset for one in bad}
        self._brake.record(record.offset in dead for record in records)
        self._metrics.settle(chunk.topic, len(choice.kept), len(choice.dropped), len(bad))
        for code, count in Counter(one.code for one in bad).items():
            self._metrics.dead_letters.labels(code).inc(count)


def _tallies(choice: Choice, bad: Sequence[Bad]) -> dict[tuple[str, int], Tally]:
    tallies: dict[tuple[str, int], Tally] = {}
    for row in choice.kept:
        tallies.setdefault(row.bucket, Tally()).inserted += 1
    for row in choice.dropped:
        tallies.setdefault(row.bucket, Tally()).duplicates += 1
    for one in bad:
        tallies.setdefault(one.bucket, Tally()).dead += 1
    return tallies
