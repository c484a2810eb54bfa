"""One lane's log on disk: entries appended in order, read from the head, removed when drained.

Segments are numbered files; entries never cross them. What is not synced is never read: an
acknowledgement follows `sync`. After a failed write or sync a segment is closed for good, because
the kernel may have forgotten its pages without another word.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from struct import Struct as Layout
from struct import error as StructError

from msgspec import Struct

from gateway.publish.spool.entry import Found, scan

SEGMENT_BYTES = 4 * 1024 * 1024
READ_BYTES = 256 * 1024
HEAD_NAME = "head"
_head = Layout(">QQ")  # segment, position


class _Segment:
    """One file of a log. `synced` bytes of it are safe, `written` are there."""

    __slots__ = ("fd", "number", "path", "synced", "written")

    def __init__(self, number: int, path: Path, fd: int, size: int) -> None:
        self.number = number
        self.path = path
        self.fd = fd
        self.synced = self.written = size


class Damage(Struct, frozen=True):
    """What a look at the disk found wrong."""

    torn_bytes: int = 0  # at the very end: never acknowledged, cut off
    quarantined: int = 0  # stretches in the middle, put aside


class LaneLog:
    """Used by one thread at a time. Every method may raise OSError."""

    def __init__(self, folder: Path, quarantine: Path) -> None:
        self._folder = folder
        self._quarantine = quarantine
        self._segments: deque[_Segment] = deque()
        self._is_closed_for_writing = False  # the newest segment takes no more
        self._position = 0  # of the head in the first segment
        self._next_number = 0

    @property
    def left(self) -> int:
        """Bytes that are synced, and not drained."""
        return sum(one.synced for one in self._segments) - self._position

    def adopt(self) -> Damage:
        """Take over what a former process has left: cut the torn end, put aside what is damaged."""
        torn = quarantined = 0
        paths = sorted(self._folder.glob("*.log"))
        for path in paths:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            segment = _Segment(int(path.stem), path, fd, os.fstat(fd).st_size)
            self._segments.append(segment)
            self._next_number = segment.number + 1
            data = os.pread(fd, segment.written, 0)
            found, end = scan(data)
            for one in found:
                if one.body is None:
                    self._put_aside(segment, one.start, data[one.start : one.end])
                    quarantined += 1
            if end < len(data):
                if path == paths[-1]:
                    torn = len(data) - end
                else:
                    self._put_aside(segment, end, data[end:])
                    quarantined += 1
                os.ftruncate(fd, end)
            os.fsync(fd)  # what the former process wrote may not have reached the disk
            segment.synced = segment.written = end
        self._is_closed_for_writing = True
        self._read_head()
        self._remove_drained()
        return Damage(torn, quarantined)

    def write(self, entries: Sequence[bytes]) -> None:
        """Append. Entries count once they are synced; after an error call `close_segment`."""
        segment = self._writable()
        view = memoryview(b"".join(entries))
        while view:
            done = os.pwrite(segment.fd, view, segment.written)
            segment.written += done
            view = view[done:]

    def sync(self) -> None:
        """Wait until what was written is on disk; after an error call `close_segment`."""
        segment = self._segments[-1]
        os.fdatasync(segment.fd)
        segment.synced = segment.written

    def close_segment(self) -> None:
        """Nothing more goes into the newest segment; what was not synced is cut off."""
        self._is_closed_for_writing = True
        if not self._segments:
            return
        segment = self._segments[-1]
        segment.written = segment.synced
        if segment.synced == 0:
            self._segments.pop()
            os.close(segment.fd)
            segment.path.unlink()
        else:
            os.ftruncate(segment.fd, segment.synced)

    def read(self) -> tuple[list[Found], int]:
        """Entries from the head on, about READ_BYTES of them, and the bytes they take. Damaged ones
        are put aside and left out."""
        size = READ_BYTES
        while self._segments:
            segment = self._segments[0]
            left = segment.synced - self._position
            data = os.pread(segment.fd, min(size, left), self._position)
            found, end = scan(data)
            if end == 0 and size < left:
                size *= 4
                continue
            if end == 0:  # nothing in what is left is whole
                found, end = [Found(0, left, 0, None)], left
            for one in found:
                if one.body is None:
                    self.put_aside(one.start, data[one.start : one.end])
            return found, end
        return [], 0

    def drained(self, size: int) -> int:
        """The first `size` bytes from the head are in Kafka; the bytes that are left."""
        self._position += size
        self._remove_drained()
        if self._segments:
            head = _head.pack(self._segments[0].number, self._position)
            with suppress(OSError):  # a hint: without it copies are sent
                (self._folder / HEAD_NAME).write_bytes(head)
        return self.left

    def put_aside(self, start: int, damaged: bytes) -> None:
        """Keep for people to see what cannot be sent; it was found `start` bytes from the head."""
        self._put_aside(self._segments[0], self._position + start, damaged)

    def close(self) -> None:
        for segment in self._segments:
            os.close(segment.fd)
        self._segments.clear()

    def _writable(self) -> _Segment:
        if self._segments and not self._is_closed_for_writing:
            segment = self._segments[-1]
            if segment.written < SEGMENT_BYTES:
                return segment
        if not self._folder.exists():
            self._folder.mkdir(parents=True)
            for folder in (self._folder.parent, self._folder.parent.parent):
                sync_folder(folder)
        path = self._folder / f"{self._next_number:020}.log"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        segment = _Segment(self._next_number, path, fd, 0)
        self._next_number += 1
        self._segments.append(segment)
        self._is_closed_for_writing = False
        sync_folder(self._folder)
        return segment

    def _read_head(self) -> None:
        try:
            number, position = _head.unpack((self._folder / HEAD_NAME).read_bytes())
        except (FileNotFoundError, StructError):
            return
        # An old head may outlive its segments: what is written from now on lies behind it.
        self._next_number = max(self._next_number, number + 1)
        while self._segments and self._segments[0].number < number:
            self._remove_first()
        if self._segments and self._segments[0].number == number:
            self._position = min(position, self._segments[0].synced)

    def _remove_drained(self) -> None:
        while self._segments and self._position >= self._segments[0].written:
            if len(self._segments) == 1:
                (self._folder / HEAD_NAME).unlink(missing_ok=True)
            self._remove_first()

    def _remove_first(self) -> None:
        segment = self._segments.popleft()
        self._position = 0
        os.close(segment.fd)
        segment.path.unlink()

    def _put_aside(self, segment: _Segment, start: int, damaged: bytes) -> None:
        self._quarantine.mkdir(exist_ok=True)
        name = f"{self._folder.parent.name}-{self._folder.name}-{segment.number}-{start}.bin"
        (self._quarantine / name).write_bytes(damaged)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk. May raise OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
