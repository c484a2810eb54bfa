"""The two tables the sink fills: which topic, how a record becomes a row, which columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from gateway.contract import topics
from gateway.contract.dead_letter import DeadLetter
from sinks.dead_rows import read_dead_letter
from sinks.rows import EventRow, read_event
from sinks.sink import AppHour, Bad, Polled, Row

SPLICED = (
    "kafka_cluster",
    "kafka_topic",
    "kafka_partition",
    "chunk_start",
    "chunk_end",
    "chunk_duplicates",
    "chunk_dead",
    "kafka_offset",
)


class Table(Struct, frozen=True):
    """A table and the topic that fills it."""

    name: str
    topic: str
    columns: tuple[str, ...]  # named in every INSERT, so that no stray key is taken
    read: Callable[[Polled], Row | Bad]
    drops_copies: bool  # whether re-sent copies are looked for
    has_account: bool  # whether its chunks stand in `chunks`

    @property
    def chunks(self) -> str:
        """The account of its chunks, in the same database."""
        return f"{self.name.partition('.')[0]}.chunks"

    @property
    def probe(self) -> str:
        """Same columns, keeps nothing."""
        return f"{self.name}_probe"


EVENTS = Table(
    name="telemetry.events",
    topic=topics.APP_EVENTS.name,
    columns=(*EventRow.__struct_fields__, *SPLICED),
    read=read_event,
    drops_copies=True,
    has_account=True,
)
DEAD_LETTERS = Table(
    name="telemetry.dead_letters",
    topic=topics.APP_EVENTS_DEAD.name,
    columns=(
        *DeadLetter.__struct_fields__,
        "original",
        "original_bytes",
        "dead_at",
        *SPLICED,
    ),
    read=read_dead_letter,
    drops_copies=False,
    has_account=False,
)


def body_of(rows: Sequence[Row], constant: bytes, tallies: dict[AppHour, tuple[int, int]]) -> bytes:
    """The rows as JSONEachRow: each record's own bytes, then what the sink knows.

    `constant` is the same for the whole chunk; duplicates and dead differ by app and hour.
    """
    tails = {
        bucket: b'%b,"chunk_duplicates":%d,"chunk_dead":%d,"kafka_offset":'
        % (constant, duplicates, dead)
        for bucket, (duplicates, dead) in tallies.items()
    }
    return b"".join(
        [b"%b%b%d}\n" % (row.value.rstrip()[:-1], tails[row.bucket], row.offset) for row in rows]
    )


def constant_of(cluster: str, topic: str, partition: int, start: int, end: int) -> bytes:
    """What all rows of a chunk share, as the middle of a JSON object."""
    fields = {
        "kafka_cluster": cluster,
        "kafka_topic": topic,
        "kafka_partition": partition,
        "chunk_start": start,
        "chunk_end": end,
    }
    return b"," + msgspec.json.encode(fields)[1:-1]
