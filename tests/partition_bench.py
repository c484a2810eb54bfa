"""One partition's owners over fakes of everything that outlives them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sinks.brake import Brake
from sinks.buffer import CutRule, Memory, Pace
from sinks.chunk_writer import ChunkWriter
from sinks.intent import Pin
from sinks.metrics import Metrics
from sinks.partition import Partition, Parts
from sinks.pause import Gate
from sinks.recovery import Recovery
from sinks.rows import read_event
from sinks.sink import Block, StoredChunk
from tests.fakes_sink import (
    CLUSTER,
    PLACE,
    FakeGraveyard,
    FakeLedger,
    FakeLog,
    FakeOffsets,
    FakePauses,
    FakeSink,
    make_chunk,
    make_patience,
    make_polled,
    make_rows,
)

PIN = Pin(1, "member-1")
NOW = CutRule(rows=1000, bytes=1 << 30, age_seconds=0.0)
NEVER = CutRule(rows=1000, bytes=1 << 30, age_seconds=3600.0)


class Bench:
    """What outlives a process: sink, group offsets, log."""

    def __init__(self, offsets: FakeOffsets | None = None) -> None:
        self.sink = FakeSink()
        self.ledger = FakeLedger(self.sink)
        self.log = FakeLog(end=1000)
        self.offsets = offsets or FakeOffsets()
        self.memory = Memory(limit_bytes=1 << 30)
        self.pace = Pace()
        self.metrics = Metrics()
        self.pauses = FakePauses()
        self.gate = Gate(self.pauses)

    def partition(self, cut: CutRule = NOW, window_offsets: int = 100) -> Partition:
        """A new life."""
        patience = make_patience()
        brake = Brake(1000, 100.0)
        parts = Parts(
            cluster=CLUSTER,
            offsets=self.offsets,  # type: ignore[arg-type]  # its fake
            ledger=self.ledger,
            kafka_log=self.log,
            recovery=Recovery(self.ledger, self.log, CLUSTER, 600.0, self.metrics),
            writer=ChunkWriter(
                read_event, self.sink, FakeGraveyard(), brake, self.metrics, patience
            ),
            patience=patience,
            memory=self.memory,
            pace=self.pace,
            gate=self.gate,
            at_work=asyncio.Semaphore(2),
            metrics=self.metrics,
            clock=lambda: 0.0,
        )
        return Partition(PLACE, PIN, parts, cut, window_offsets)

    async def insert(self, start: int, end: int) -> None:
        chunk = make_chunk(start, end)
        rows = make_rows((one, one) for one in range(start, end))
        await self.sink.write(Block(chunk, rows, {}, chunk.token))
        self.ledger.newest_chunk = StoredChunk(start, end, self.ledger.age_seconds)

    def pending(self) -> float | None:
        return self.metrics.registry.get_sample_value(
            "telemetry_sink_pending_records", {"topic": PLACE.topic}
        )


async def until(fact: Callable[[], bool]) -> None:
    """Let the other tasks run until a fact holds."""
    for _ in range(1000):
        if fact():
            return
        await asyncio.sleep(0)
    raise AssertionError("the fact never came true")


@asynccontextmanager
async def running(partition: Partition) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(partition.run())
    yield task
    partition.stop(flush=True)
    await asyncio.gather(task, return_exceptions=True)


def feed(partition: Partition, start: int, end: int) -> None:
    partition.add([make_polled(offset) for offset in range(start, end)])
