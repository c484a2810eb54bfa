"""A dead letter as it is read back from `app-events-dead`, and the mark that says it was put back.

A mark lies in the same topic, behind its letter and in the same partition. So the topic alone
knows which letters are open, and the account how many records of `app-events` came twice.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b

from aiokafka.structs import ConsumerRecord
from msgspec import Struct

from gateway.contract.dead_letter import DeadLetter, Headers, from_headers
from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD
from sinks.rows import read_event
from sinks.sink import Polled

MARK = "replay"  # the source of a mark
REPLAYED_FROM = "replayed_from"  # header of a record that was put back: its letter's place

Place = tuple[int, int]  # partition and offset in `app-events-dead`


class Letter(Struct, frozen=True, gc=False):
    """One record of `app-events-dead`. `own` are the headers that the original came with."""

    place: Place
    timestamp_ms: int
    key: bytes | None
    value: bytes
    own: tuple[tuple[str, bytes], ...]
    says: DeadLetter

    @property
    def marks(self) -> Place | None:
        """Where the letter lies that this mark is about; None when it is no mark."""
        if self.says.source != MARK or self.says.origin_topic != APP_EVENTS_DEAD.name:
            return None
        return self.says.origin_partition, self.says.origin_offset

    @property
    def origin(self) -> bytes:
        """What a repeat of this letter has too: where the original lay, and its bytes."""
        place = f"{self.says.origin_topic}\0{self.says.origin_partition}\0{self.says.origin_offset}"
        return blake2b(place.encode() + b"\0" + self.value, digest_size=16).digest()


def letter_of(record: ConsumerRecord[bytes, bytes]) -> Letter:
    """A record of `app-events-dead` as a letter; whatever lies there is one."""
    headers = [(name, value or b"") for name, value in record.headers]
    names = DeadLetter.__struct_fields__
    return Letter(
        (record.partition, record.offset),
        record.timestamp,
        record.key,
        record.value or b"",
        tuple(pair for pair in headers if pair[0] not in names),
        from_headers(headers),
    )


def headers_of(letter: Letter) -> Headers:
    """The headers of the record that goes back: its own, and where it has lain meanwhile."""
    partition, offset = letter.place
    own = [pair for pair in letter.own if pair[0] != REPLAYED_FROM]
    return [*own, (REPLAYED_FROM, f"{APP_EVENTS_DEAD.name}/{partition}/{offset}".encode())]


def mark_of(letter: Letter, offset: int, timestamp_ms: int) -> DeadLetter:
    """The mark of a letter that went back and lies at `offset` since `timestamp_ms`.

    It stands for the hour in which the account counts the record again.
    """
    app_id, hour = read_event(Polled(offset, letter.key, letter.value, timestamp_ms)).bucket
    partition, letter_offset = letter.place
    return DeadLetter(
        source=MARK,
        code="replayed",
        text=f"put back into {APP_EVENTS.name}-{letter.says.origin_partition} at offset {offset}",
        app_id=app_id,
        app_version=letter.says.app_version,
        event_id=letter.says.event_id,
        received_at=datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H:00:00.000Z"),
        origin_topic=APP_EVENTS_DEAD.name,
        origin_partition=partition,
        origin_offset=letter_offset,
    )
