"""Chunks of the log stored in the rebuilt tables, as the sink stored them in the live ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from clickhouse_connect.driver.asyncclient import AsyncClient
from msgspec import Struct, structs

from gateway.contract.forgotten import Wishes
from sinks.brake import Brake
from sinks.chunk_writer import ChunkWriter
from sinks.clickhouse.ledger import ClickHouseLedger
from sinks.clickhouse.shadow import LONG_SECONDS, SHADOW
from sinks.clickhouse.sink import ClickHouseSink
from sinks.clickhouse.tables import EVENTS
from sinks.metrics import Metrics
from sinks.rebuild.units import Source, Unit
from sinks.retry import Patience
from sinks.sink import Bad, Block, Chunk, Polled, Row
from sinks.window import IdWindow

REBUILT = structs.replace(EVENTS, name=f"{SHADOW}.events", columns=(*EVENTS.columns, "inserted_at"))
NO_BRAKE = 2**62  # letters in a row


class _Buried:
    """The letters of these records were written before their chunk was first stored."""

    async def bury(self, topic: str, partition: int, bad: Sequence[Bad]) -> None:
        pass


class _Owner(Struct):
    """Whose record it is."""

    app_id: str
    device_id: str
    received_at: datetime
    user_id: str = ""


class _RebuiltSink(ClickHouseSink):
    """Rows keep the time at which they were first stored; those of the forgotten are left out.

    Left out here, they still make the window drop their copies, as it did when they were stored.
    """

    inserted_at = ""
    wishes = Wishes()

    async def write(self, block: Block) -> None:
        if not self.wishes.is_empty:
            rows = [row for row in block.rows if not self._is_forgotten(row)]
            block = structs.replace(block, rows=rows)
        await super().write(block)

    def _is_forgotten(self, row: Row) -> bool:
        if not self.wishes.concerns(row.bucket[0]):
            return False
        of = msgspec.json.decode(row.value, type=_Owner)
        received_ms = int(of.received_at.timestamp() * 1000)
        return self.wishes.erases(of.app_id, of.device_id, of.user_id, received_ms)

    def _constant(self, chunk: Chunk) -> bytes:
        constant = super()._constant(chunk)
        if not self.inserted_at:
            return constant
        return constant + b"," + msgspec.json.encode({"inserted_at": self.inserted_at})[1:-1]


class LogWriter:
    """Stores the units of one source after another. Raises Retryable, Misconfigured."""

    def __init__(
        self, client: AsyncClient, settings: Mapping[str, str], window_offsets: int,
        patience: Patience,
        wishes: Wishes,
    ) -> None:  # fmt: skip
        self._client = client
        self._window_offsets = window_offsets
        self._sink = _RebuiltSink(client, REBUILT, settings, LONG_SECONDS)
        self._sink.wishes = wishes
        brake = Brake(NO_BRAKE, 100.0)
        self._writer = ChunkWriter(EVENTS.read, self._sink, _Buried(), brake, Metrics(), patience)
        self._window = IdWindow(window_offsets)
        self._reached: tuple[Source, int] | None = None  # where the window stands

    async def write(self, unit: Unit, records: Sequence[Polled]) -> None:
        """Dropping copies of what lies before it, as the sink does."""
        source = unit.source
        if self._reached != (source, unit.start):
            ledger = ClickHouseLedger(self._client, REBUILT, source.cluster)
            start = unit.start - self._window_offsets
            self._window = IdWindow(self._window_offsets)
            found = await ledger.identities(source.topic, source.partition, start, unit.start)
            self._window.remember(found, unit.start)
        self._sink.inserted_at = unit.inserted_at
        await self._writer.store(chunk_of(unit), records, self._window)
        self._reached = (source, unit.end)


def chunk_of(unit: Unit) -> Chunk:
    """The chunk that a unit of the log is; its token is the one that the sink used."""
    source = unit.source
    return Chunk(source.cluster, source.topic, source.partition, unit.start, unit.end)
