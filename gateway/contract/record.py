"""What lies in Kafka: one flat JSON object per event whose keys are ClickHouse column names.

An event's own fields come first, `event_id` first of all; then a suffix that the gateway encodes
once per POST: server fields and context. The two structs share no field, so a client can neither
set a server field nor plant a duplicate key. The sink passes these bytes on as they are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from struct import Struct as Layout

import msgspec
from msgspec import Raw, Struct

TIME_QUALITIES = ("corrected", "as_sent", "future", "ancient", "no_sent_at", "invalid")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # stands for a device time that is none
LAST_INSTANT = datetime(2149, 6, 6, tzinfo=UTC)  # the last day ClickHouse's Date can hold


class ContextFields(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Server fields and merged context, encoded once per POST (and per event that has its own)."""

    received_at: datetime  # UTC, of whole milliseconds: when the POST's head was seen
    app_id: str  # the write key's app
    protocol: str
    request_id: str
    device_id: str
    sent_at: datetime | None = None  # the device's clock
    country: str = ""
    app_package: str = ""
    app_version: str = ""
    app_build: str = ""
    os_name: str = ""
    os_version: str = ""
    device_manufacturer: str = ""
    device_model: str = ""
    device_type: str = ""
    locale: str = ""
    timezone: str = ""
    network_type: str = ""
    carrier: str = ""
    sdk_name: str = ""
    sdk_version: str = ""


class EventFields(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The event's own fields. The last one carries the suffix, see `suffix_of`."""

    event_id: str  # a UUID, always first
    event_type: str
    occurred_at: datetime  # the device's clock, raw
    ts: datetime  # the corrected time analysts use
    time_quality: str
    source_event_id: str = ""  # the original of an id that was no UUID
    event_name: str = ""
    session_id: str = ""  # a UUID
    user_id: str = ""
    sequence: int = 0
    duration_ms: int = 0
    crash_kind: str = ""
    crash_fatal: bool = False
    crash_type: str = ""
    crash_reason: str = ""
    crash_stack: str = ""
    crash_group: int = 0
    crash_group_version: int = 0
    properties: dict[str, Raw] = {}
    received_at: Raw


class Run(Struct, frozen=True, gc=False):
    """Records of one topic and key on their way to Kafka, in their order. Those of a POST are
    mostly one run. Events have no headers, but those of a traced POST."""

    topic: str
    key: bytes
    values: list[bytes]
    headers: list[tuple[str, bytes]] = []  # of each of them


COLUMNS = tuple(
    dict.fromkeys(EventFields.__struct_fields__ + ContextFields.__struct_fields__)
)  # every key a record can have, in its order

_word = Layout("<I")
encode = msgspec.json.Encoder().encode  # of one record's value


def suffix_of(context: ContextFields) -> Raw:
    """Encode server fields and context as the tail of a record.

    It is the value of `received_at` followed by the other keys, so that a record is encoded in
    one pass: msgspec copies a Raw field verbatim.
    """
    encoded = encode(context)
    return Raw(encoded[len(b'{"received_at":') : -1])


def partition_of(key: bytes, partitions: int) -> int:
    """The partition on which Kafka's Java producer places `key`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """Kafka's hash of a record key (org.apache.kafka.common.utils.Utils.murmur2), as unsigned."""
    length = len(key)
    state = 0x9747B28C ^ length
    for (word,) in _word.iter_unpack(key[: length & ~3]):
        word = word * 0x5BD1E995 & 0xFFFFFFFF
        state = state * 0x5BD1E995 & 0xFFFFFFFF ^ (word ^ word >> 24) * 0x5BD1E995 & 0xFFFFFFFF
    if length & 3:
        state = (state ^ int.from_bytes(key[length & ~3 :], "little")) * 0x5BD1E995 & 0xFFFFFFFF
    state = (state ^ state >> 13) * 0x5BD1E995 & 0xFFFFFFFF
    return state ^ state >> 15
