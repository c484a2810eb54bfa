"""One replay: rebuild beside the live tables, catch up, and swap in a pause of the sink.

Two sets of tables, each complete up to its own place: the live ones, which the sink goes on
filling, and the rebuilt ones. Only in a pause, with both at the same place, do names change hands.
So what has a live name is complete at any time, and the rebuilt set can be dropped at any time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from uuid import uuid4

from aiokafka import TopicPartition
from msgspec import Struct

from gateway.contract.topics import APP_EVENTS
from sinks.clickhouse.checks import DATABASE
from sinks.clickhouse.pauses import ClickHousePauses
from sinks.clickhouse.shadow import SHADOW, Begun, Shadow
from sinks.clickhouse.shadow_rows import NO_END, Compared, ShadowRows
from sinks.intent import Committed, parse_metadata, paused_by
from sinks.rebuild.log_reader import LogReader
from sinks.rebuild.log_writer import LogWriter, chunk_of
from sinks.rebuild.units import (
    NOWHERE,
    Region,
    Sizes,
    Source,
    Unit,
    batches_of,
    units_of,
    whole_chunks,
)
from sinks.sink import Misconfigured, Retryable

log = logging.getLogger(__name__)

AGREE_SECONDS = 6.0  # for every partition to rest; the rest of the lease is for the swap
SWAP_TRIES = 5
TRY_AGAIN_SECONDS = 2.0
LOOK_SECONDS = 0.1
CATCH_UP_ROUNDS = 5
ANNOUNCED_SECONDS = 60.0  # for chunks at work to be done
NEARLY = 20_000  # offsets written in a round: few enough for a pause


FEWER = (
    "`events` has no rows of some of them any more, or merges have healed copies, or the view has "
    "changed; --accept-fewer swaps all the same"
)


class NotSwapped(Exception):
    """The live tables are as they were. The text says why, and what to do."""


class Period(Struct, frozen=True):
    """Which part of the log is read again, by the time records came to Kafka; None: all."""

    first_ms: int | None = None
    last_ms: int | None = None


class Swapped(Struct, frozen=True):
    """A finished replay."""

    tables: list[str]
    rows: int
    read: int  # offsets from the log
    copied: int  # offsets whose rows were copied
    regained: int  # events that the live tables lacked
    pause_seconds: float


class Tools(Struct, frozen=True):
    """What a replay works with."""

    shadow: Shadow
    rows: ShadowRows
    reader: LogReader
    writer: LogWriter
    pauses: ClickHousePauses
    group: str
    accept_fewer: bool
    show: Callable[[int, int], None]  # offsets written, and to write
    sizes: Sizes = Sizes()


async def begin(tools: Tools, period: Period) -> Begun:
    """Make the tables, and decide what is read from the log: what the sink has stored already."""
    reader = tools.reader
    partitions = await reader.partitions(APP_EVENTS.name)
    commits = await reader.committed(tools.group, partitions)
    regions: dict[Source, Region] = {}
    for name in partitions:
        first = await reader.first_kept(name)
        last = max(commits[name].offset, 0)
        if period.first_ms is not None:
            found = await reader.offset_at(name, period.first_ms)
            first = max(first, last if found is None else found)
        if period.last_ms is not None:
            found = await reader.offset_at(name, period.last_ms)
            last = last if found is None else min(last, found)
        source = _source(reader, name)
        chunks = await tools.rows.chunks({source: 0})
        regions[source] = whole_chunks(Region(first, max(first, last)), chunks[source])
    await tools.shadow.make(uuid4().hex, regions)
    begun = await tools.shadow.begun()
    if begun is None:
        raise NotSwapped("the shadow tables are gone")
    return begun


class Replay:
    """Fills, checks, swaps. May end at any line: another one goes on with what it left."""

    def __init__(self, tools: Tools, begun: Begun) -> None:
        self._tools = tools
        self._begun = begun
        self._batch = 0  # the last one announced
        self._positions: dict[Source, int] = {}
        self._checked: dict[Source, int] = {}
        self._sources: list[Source] = []
        self._partitions: list[TopicPartition] = []
        self._read = self._copied = self._regained = 0

    async def run(self) -> Swapped:
        """Raises NotSwapped, Retryable, Misconfigured."""
        left = await self._tools.shadow.left(self._begun)
        seconds = 0.0
        if left:
            stored = await self._tools.rows.sources()
            self._sources = sorted({*stored, *self._begun.regions})
            self._partitions = await self._tools.reader.partitions(APP_EVENTS.name)
            self._batch, units, self._positions = await self._tools.shadow.announced()
            await self._write(units)
            for _ in range(CATCH_UP_ROUNDS):
                if await self._fill() <= NEARLY:
                    break
            await self._check_rows(is_last=False)
            await self._check_views(left)
            seconds = await self._swap_in_a_pause()
        rows = await self._tools.rows.count(DATABASE)
        await self._tools.shadow.drop()
        tables = sorted(self._begun.uuids)
        return Swapped(tables, rows, self._read, self._copied, self._regained, seconds)

    async def _fill(self) -> int:
        """Write what the live tables have and the rebuilt ones do not; how many offsets."""
        tools, regions = self._tools, self._begun.regions
        positions = {source: self._positions.get(source, 0) for source in self._sources}
        commits = await self._commits()
        units: list[Unit] = []
        for source, chunks in (await tools.rows.chunks(positions)).items():
            # A chunk at work may be half there: at a month's turn it is two parts.
            done = commits[source].offset if source in commits else NO_END
            whole = [one for one in chunks if one.end <= done]
            region = regions.get(source, NOWHERE)
            units += units_of(source, whole, positions[source], region, tools.sizes)
        total = sum(unit.end - unit.start for unit in units)
        written = 0
        for batch in batches_of(units, regions, tools.sizes):
            tools.show(written, total)
            self._batch += 1
            await tools.shadow.announce(self._batch, batch)
            await self._write(batch)
            written += sum(unit.end - unit.start for unit in batch)
        tools.show(written, total)
        return total

    async def _commits(self) -> dict[Source, Committed]:
        reader = self._tools.reader
        found = await reader.committed(self._tools.group, self._partitions)
        return {
            _source(reader, name): parse_metadata(one.offset, one.metadata)
            for name, one in found.items()
        }

    async def _write(self, batch: Sequence[Unit]) -> None:
        """The same batch again changes nothing."""
        copied = [unit for unit in batch if not unit.from_log]
        if copied:
            await self._copy(copied, f"replay:{self._begun.id}:{self._batch}")
        read = [unit for unit in batch if unit.from_log]
        for unit in read:
            name = TopicPartition(unit.source.topic, unit.source.partition)
            records = await self._tools.reader.read(name, unit.start, unit.end)
            if records is None:  # its time in the log is over: as the live table has it
                await self._copy([unit], chunk_of(unit).token)
                continue
            await self._tools.writer.write(unit, records)
            self._read += unit.end - unit.start
            self._positions[unit.source] = unit.end
        if read:
            await self._tools.rows.copy_account(read)

    async def _copy(self, units: Sequence[Unit], token: str) -> None:
        await self._tools.rows.copy(units, token)
        for unit in units:
            self._copied += unit.end - unit.start
            self._positions[unit.source] = unit.end

    async def _check_rows(self, *, is_last: bool) -> None:
        """What was not looked at before, on both sides; the last time, whatever lies there.

        Raises NotSwapped.
        """
        reached = {source: self._positions.get(source, 0) for source in self._sources}
        bounds = {
            source: (self._checked.get(source, 0), NO_END if is_last else end)
            for source, end in reached.items()
        }
        found = await self._tools.rows.compare(bounds)
        self._checked = reached
        wrong = [one for one in found if one.missing or one.doubled]
        if wrong:
            lines = "".join(
                f"\n  app {one.app_id}, {one.source.topic}-{one.source.partition} of cluster "
                f"{one.source.cluster}: {one.live} rows live, {one.rebuilt} rebuilt, "
                f"{one.missing} events missing{_first_of(one)}, {one.doubled} rows twice"
                for one in wrong
            )
            raise NotSwapped(
                f"the rebuilt rows are not the live ones:{lines}\nIf somebody was forgotten who "
                "still had rows, run forget again first"
            )
        self._regained += sum(one.regained for one in found)

    async def _check_views(self, left: list[str]) -> None:
        """Live first, and then all of that in the rebuilt tables: also chunks that were at work.

        A row that was forgotten may have been the only one of its group. Raises NotSwapped.
        """
        rows = self._tools.rows
        forgotten = await rows.forgotten()
        names = [one for one in left if one not in ("events", "chunks")]
        live = {name: await rows.view_rows(DATABASE, name) for name in names}
        await self._fill_what_is_announced()
        rebuilt = {name: await rows.view_rows(SHADOW, name) for name in names}
        absent, short = _compared(live, rebuilt, forgotten)
        if short and not self._tools.accept_fewer:
            raise NotSwapped(f"{short[0]}: {FEWER}")
        for name, partition in absent:
            await rows.carry(name, partition)
            log.info("%s: partition %s is carried over as it is", name, partition)

    async def _fill_what_is_announced(self) -> None:
        """A chunk is announced before its first row is anywhere. Raises NotSwapped."""
        commits = await self._commits()
        until = time.monotonic() + ANNOUNCED_SECONDS
        while True:
            now = await self._commits()
            await self._fill()
            if all(now[name].offset >= (one.end or one.offset) for name, one in commits.items()):
                return
            if time.monotonic() > until:
                raise NotSwapped(f"the sink did not end its chunks at work within "
                                 f"{ANNOUNCED_SECONDS:g} s; go on with --resume")  # fmt: skip
            await asyncio.sleep(LOOK_SECONDS)

    async def _swap_in_a_pause(self) -> float:
        """How long the sink rested. Raises NotSwapped."""
        reason = ""
        for _ in range(SWAP_TRIES):
            pause_id = uuid4().hex
            began = time.monotonic()
            await self._tools.pauses.begin(pause_id)
            try:
                await self._agreed(pause_id)
                await self._fill()
                await self._check_rows(is_last=True)
                await self._exchange(pause_id)
                return time.monotonic() - began
            except (_NotYet, Retryable) as error:
                reason = str(error)
                log.warning("no swap yet: %s", reason)
            finally:
                with suppress(Retryable):  # or its time ends
                    await self._tools.pauses.end(pause_id)
            await asyncio.sleep(TRY_AGAIN_SECONDS)
            await self._fill()
        raise NotSwapped(f"{reason}. Nothing is lost: try again with --resume")

    async def _agreed(self, pause_id: str) -> None:
        """Every partition's owner has said that it rests. Raises _NotYet."""
        reader, group, partitions = self._tools.reader, self._tools.group, self._partitions
        until = time.monotonic() + AGREE_SECONDS
        while True:
            commits = await reader.committed(group, partitions)
            awake = [one for one in partitions if paused_by(commits[one].metadata) != pause_id]
            if not awake:
                return
            if time.monotonic() > until:
                first = awake[0]
                is_busy = parse_metadata(commits[first].offset, commits[first].metadata).end
                raise _NotYet(
                    f"{len(awake)} of {len(partitions)} partitions did not come to rest within "
                    f"{AGREE_SECONDS:g} s ({first.topic}-{first.partition} "
                    f"{'has a chunk at work' if is_busy else 'did not answer'}); is the sink of "
                    f"group {group} running?"
                )
            await asyncio.sleep(LOOK_SECONDS)

    async def _exchange(self, pause_id: str) -> None:
        """Raises _NotYet when the pause was over before."""
        shadow = self._tools.shadow
        left = await shadow.left(self._begun)
        await shadow.note_swap(self._begun.id, await self._tools.rows.count(SHADOW))
        try:
            await shadow.exchange(pause_id, left)
        except (Retryable, Misconfigured) as error:
            left = await shadow.left(self._begun)
            if left:
                raise _NotYet(f"the pause was over before the swap ({error})") from None


def _compared(
    live: Mapping[str, Mapping[str, int]], rebuilt: Mapping[str, Mapping[str, int]], forgotten: int
) -> tuple[list[tuple[str, str]], list[str]]:
    """Partitions of views' tables that were not rebuilt at all; and of which rows are missing."""
    absent: list[tuple[str, str]] = []
    short: list[str] = []
    for name, partitions in live.items():
        for partition, count in sorted(partitions.items()):
            found = rebuilt[name].get(partition)
            if found is None:
                absent.append((name, partition))
            elif found + forgotten < count:
                short.append(f"{name}, partition {partition}: {count} rows live, {found} rebuilt")
    return absent, short


def _first_of(compared: Compared) -> str:
    return f" ({compared.first_missing} is one)" if compared.missing else ""


class _NotYet(Exception):
    """This pause was in vain."""


def _source(reader: LogReader, name: TopicPartition) -> Source:
    return Source(reader.cluster, name.topic, name.partition)
