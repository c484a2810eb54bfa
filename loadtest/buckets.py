"""Buckets of devices: files that hold what belongs to some of the devices, in the order it came.

A ledger of any size is judged a bucket at a time, in the memory of one.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

FLUSH_BYTES = 4 * 1024 * 1024  # held for all buckets together


def bucket_of(device_id: str, buckets: int) -> int:
    """The same as ClickHouse's CRC32(device_id) % buckets."""
    return zlib.crc32(device_id.encode("utf-8", "surrogatepass")) % buckets


class Buckets:
    """Lines of one kind, by bucket. Raises OSError."""

    def __init__(self, folder: Path, kind: str, count: int) -> None:
        self._paths = [folder / f"{kind}-{number}" for number in range(count)]
        self._held: list[list[bytes]] = [[] for _ in range(count)]
        self._bytes = 0

    def add(self, device_id: str, line: bytes) -> None:
        """`line` ends with a newline, and has no other."""
        self._held[bucket_of(device_id, len(self._held))].append(line)
        self._bytes += len(line)
        if self._bytes > FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        for path, lines in zip(self._paths, self._held, strict=True):
            if lines:
                with path.open("ab") as file:
                    file.writelines(lines)
                lines.clear()
        self._bytes = 0

    def lines(self, number: int) -> Iterator[bytes]:
        """The lines of a bucket; flush before."""
        path = self._paths[number]
        if path.exists():
            with path.open("rb") as file:
                yield from file
