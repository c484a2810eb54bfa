"""Fakes of the sink's ports, and records and chunks as its tests need them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition

from sinks.intent import Committed, Fenced, Pin, parse_metadata
from sinks.pause import Pause
from sinks.retry import Patience
from sinks.rows import read_event
from sinks.sink import (
    Bad,
    Block,
    Chunk,
    Polled,
    Retryable,
    Row,
    StoredChunk,
    Unwritable,
)
from tests.builders import make_record

CLUSTER = "cluster-1"
PLACE = TopicPartition("app-events", 3)


def event_id(number: int) -> str:
    return str(UUID(int=number))


def make_polled(offset: int, number: int | None = None, **changes: Any) -> Polled:
    """A record of `app-events`; `number` is its event's, by default the offset's."""
    fields = {"event_id": event_id(offset if number is None else number), **changes}
    value = json.dumps(make_record(**fields)).encode()
    return Polled(offset, b"device-1", value, 1_795_497_600_000)


def make_rows(offsets_and_numbers: Iterable[tuple[int, int]]) -> list[Row]:
    """Rows of events by their numbers."""
    rows = [read_event(make_polled(offset, number)) for offset, number in offsets_and_numbers]
    return [row for row in rows if isinstance(row, Row)]


def make_chunk(start: int, end: int, *, cluster: str = CLUSTER) -> Chunk:
    return Chunk(cluster, PLACE.topic, PLACE.partition, start, end)


class FakeSink:
    """Remembers tokens and rows as ClickHouse does; can be told to fail and to refuse rows."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, Row]] = []  # with the token each came under
        self.blocks: list[Block] = []  # every block written, also again
        self.fail_next: list[Exception] = []
        self.is_down = False
        self.refuses: Callable[[Row], bool] = lambda row: b"only the engine refuses" in row.value
        self._tokens: set[str] = set()

    @property
    def offsets(self) -> list[int]:
        return [row.offset for _, row in self.rows]

    async def write(self, block: Block) -> None:
        self.blocks.append(block)
        if self.fail_next:
            raise self.fail_next.pop(0)
        self._answer()
        if any(self.refuses(row) for row in block.rows):
            raise Unwritable("told to refuse")
        if block.token not in self._tokens:
            self._tokens.add(block.token)
            self.rows += [(block.token, row) for row in block.rows]

    async def find_bad(self, block: Block) -> dict[int, str]:
        self._answer()
        return {row.offset: "told to refuse" for row in block.rows if self.refuses(row)}

    def _answer(self) -> None:
        if self.is_down:
            raise Retryable("told to be down")


class FakeGraveyard:
    """Keeps dead letters."""

    def __init__(self) -> None:
        self.letters: list[Bad] = []

    @property
    def offsets(self) -> list[int]:
        return [one.record.offset for one in self.letters]

    async def bury(self, topic: str, partition: int, bad: Sequence[Bad]) -> None:
        self.letters += bad


class FakeLedger:
    """Answers from the rows of a FakeSink, or what it is told."""

    def __init__(self, sink: FakeSink) -> None:
        self._sink = sink
        self.age_seconds = 0.0
        self.fail_next = 0
        self.newest_chunk: StoredChunk | None = None
        self.gone: set[int] = set()  # forgotten since, or merged into a copy elsewhere
        self.merges = False  # of an event's rows there is the one that was inserted last
        self.last: tuple[int, str] | None = None

    async def newest(self, topic: str, partition: int, from_offset: int) -> StoredChunk | None:
        self._answer()
        newest = self.newest_chunk
        return newest if newest is not None and newest.end > from_offset else None

    async def find(self, topic: str, partition: int, start: int) -> StoredChunk | None:
        self._answer()
        for block in reversed(self._sink.blocks):
            held = [token for token, _ in self._sink.rows]
            if block.chunk.start == start and block.token in held:
                return StoredChunk(start, block.chunk.end, self.age_seconds)
        return None

    async def identities(
        self, topic: str, partition: int, start: int, end: int
    ) -> list[tuple[int, bytes]]:
        self._answer()
        rows = [row for _, row in self._sink.rows]
        if self.merges:
            rows = list({row.identity: row for row in rows}.values())
        found = [row for row in rows if start <= row.offset < end]
        return [(row.offset, row.identity or b"") for row in found]

    async def settled(self, topic: str, partition: int, records: Sequence[Polled]) -> set[int]:
        self._answer()
        stored = {row.offset for _, row in self._sink.rows}
        return {one.offset for one in records if one.offset in stored | self.gone}

    async def last_row(self, topic: str, partition: int) -> tuple[int, str] | None:
        return self.last

    def _answer(self) -> None:
        if self.fail_next:
            self.fail_next -= 1
            raise Retryable("told to fail")


class FakeLog:
    """A partition's log in memory."""

    def __init__(self, end: int, first: int = 0) -> None:
        self.first = first
        self.end = end
        self.cluster_id = CLUSTER
        self.event_ids: dict[int, str] = {}
        self.sought: list[int] = []

    async def cluster(self) -> str:
        return self.cluster_id

    async def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        return self.first, self.end

    async def event_id_at(self, partition: TopicPartition, offset: int) -> str | None:
        return self.event_ids.get(offset)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought.append(offset)


class FakeOffsets:
    """A group's offsets in memory. `fence_at` counts commits down to a refused one."""

    def __init__(self, offset: int = -1, metadata: str = "") -> None:
        self.commits: list[tuple[int, str]] = []
        self._now = (offset, metadata)
        self.fence_at: int | None = None

    async def read(self, partition: TopicPartition) -> Committed:
        return parse_metadata(*self._now)

    async def commit(self, partition: TopicPartition, pin: Pin, offset: int, metadata: str) -> None:
        if self.fence_at is not None and len(self.commits) >= self.fence_at:
            raise Fenced("told to fence")
        self._now = (offset, metadata)
        self.commits.append((offset, metadata))


class FakePauses:
    """At most one pause; remembers which ones were taken away."""

    def __init__(self) -> None:
        self.now: Pause | None = None
        self.ended: list[str] = []

    async def current(self) -> Pause | None:
        return self.now

    async def end(self, pause_id: str) -> None:
        self.ended.append(pause_id)
        self.now = None


def make_patience() -> Patience:
    """One that never really waits."""
    return Patience(repeat(-0.5))
