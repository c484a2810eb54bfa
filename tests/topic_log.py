"""How a topic lies on a broker's disk: its codec, and the bytes of its batches."""

from __future__ import annotations

from pathlib import Path
from struct import Struct as Layout

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from msgspec import Struct

HEAD_BYTES = 61  # of a batch, before its records
ATTRIBUTES_AT, CODEC = 21, 0b111  # where they stand in it, and the bits that name the codec
_lengths = Layout(">qi")  # first offset, bytes that follow
_attributes = Layout(">h")
_count = Layout(">i")  # of records, the head's last field


class OnDisk(Struct, frozen=True):
    """What all segments of a topic hold."""

    size: int  # bytes
    records: int
    codecs: list[int]  # of each batch, in the order of each partition; 0: none

    @property
    def batches(self) -> int:
        return len(self.codecs)


def on_disk(folder: Path, topic: str) -> OnDisk:
    """Read below a broker's folder; what is allocated and not written does not count."""
    size = records = 0
    codecs: list[int] = []
    for segment in folder.rglob(f"{topic}-[0-9]*/*.log"):
        data = segment.read_bytes()
        at = 0
        while at + HEAD_BYTES <= len(data):
            _, length = _lengths.unpack_from(data, at)
            if length <= 0:
                break
            (held,) = _count.unpack_from(data, at + HEAD_BYTES - _count.size)
            (attributes,) = _attributes.unpack_from(data, at + ATTRIBUTES_AT)
            codecs.append(attributes & CODEC)
            records += held
            size += _lengths.size + length
            at += _lengths.size + length
    return OnDisk(size, records, codecs)


async def keep_as(bootstrap: str, topic: str, codec: str) -> None:
    """Let the broker keep what comes in that codec, soon; `producer`: as it comes."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        wanted = {"compression.type": codec}
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=wanted)
        await admin.alter_configs([resource])
    finally:
        await admin.close()
