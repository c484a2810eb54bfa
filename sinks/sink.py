"""The port of a sink: blocks of rows in, stored exactly as often as they say, or one of three
failures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

OBJECT_BYTES = 250  # what Python adds to a record's own bytes
AppHour = tuple[str, int]  # app_id, and received_at in whole hours since 1970


class Polled(Struct, frozen=True, gc=False):
    """One record as it came from Kafka."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: tuple[tuple[str, bytes], ...] = ()


def bytes_of(records: Sequence[Polled]) -> int:
    """What they hold in memory, roughly."""
    values = sum([len(one.value) for one in records if one.value is not None])
    keys = sum([len(one.key) for one in records if one.key is not None])
    return values + keys + OBJECT_BYTES * len(records)


class Row(Struct, frozen=True, gc=False):
    """A record that can be stored. `value` is its JSON object: the record's own bytes."""

    offset: int
    value: bytes
    identity: bytes | None  # what a re-sent copy has too; None where copies are not looked for
    bucket: AppHour


class BadCode(StrEnum):
    """Why a record can never be stored."""

    NO_VALUE = "no_value"
    INVALID_UTF8 = "invalid_utf8"
    INVALID_JSON = "invalid_json"
    TOO_DEEP = "too_deep"
    INVALID_RECORD = "invalid_record"
    INVALID_TIME = "invalid_time"
    REFUSED = "refused"  # by the database alone


class Bad(Struct, frozen=True, gc=False):
    """A record that can never be stored, and why."""

    record: Polled
    code: BadCode
    text: str
    bucket: AppHour
    app_version: str = ""
    event_id: str = ""


class Tally(Struct, gc=False):
    """What became of a chunk's records of one app and hour."""

    inserted: int = 0
    duplicates: int = 0
    dead: int = 0


class Chunk(Struct, frozen=True, gc=False):
    """The offsets [start, end) of one topic-partition that one insert writes."""

    cluster: str
    topic: str
    partition: int
    start: int
    end: int

    @property
    def token(self) -> str:
        """Names the chunk to the database: the same token again is the same insert again.

        The cluster is part of it: a wiped broker starts again at offset 0.
        """
        return f"{self.cluster}:{self.topic}:{self.partition}:{self.start}-{self.end}"


class Block(Struct, frozen=True, gc=False):
    """A chunk's rows and tallies, as handed to a sink."""

    chunk: Chunk
    rows: list[Row]
    tallies: Mapping[AppHour, Tally]  # of all records of the chunk
    token: str  # of the insert of `rows`


class Retryable(Exception):
    """Not now: the same block again, later. `cause` is a code or a word, for counting."""

    def __init__(self, text: str, cause: str = "network") -> None:
        super().__init__(text)
        self.cause = cause


class Unwritable(Exception):
    """A row of this block can never be stored; `Sink.find_bad` tells which."""


class Misconfigured(Exception):
    """The rows are not at fault: stop, and tell the operator."""


class Sink(Protocol):
    """Stores blocks."""

    async def write(self, block: Block) -> None:
        """Store the block whole. Writing the same block again changes nothing.

        Raises Retryable, Unwritable, Misconfigured.
        """

    async def find_bad(self, block: Block) -> dict[int, str]:
        """Offsets of rows that can never be stored, each with the reason; changes nothing.

        Not all, where they are many: then the rest is refused, and asked for, again.

        Raises Retryable, Misconfigured.
        """


class StoredChunk(Struct, frozen=True, gc=False):
    """A chunk as the stored rows remember it."""

    start: int
    end: int
    age_seconds: float  # since its rows were stored


class Ledger(Protocol):
    """What the stored rows say about the log: they are the ledger when Kafka has forgotten."""

    async def newest(self, topic: str, partition: int, from_offset: int) -> StoredChunk | None:
        """The newest chunk that holds offsets >= `from_offset`. Raises Retryable."""

    async def find(self, topic: str, partition: int, start: int) -> StoredChunk | None:
        """The stored chunk that begins at `start`. Raises Retryable."""

    async def identities(
        self, topic: str, partition: int, start: int, end: int
    ) -> list[tuple[int, bytes]]:
        """(offset, identity) of the rows stored from [start, end), in order. Raises Retryable."""

    async def forgotten(self, topic: str, partition: int, start: int, end: int) -> set[int]:
        """Offsets in [start, end) whose rows were stored, and deleted for somebody who asked to be
        forgotten. Raises Retryable."""

    async def last_row(self, topic: str, partition: int) -> tuple[int, str] | None:
        """(offset, event id) of the row of the highest offset; "" where rows have no id of their
        own. Raises Retryable."""
