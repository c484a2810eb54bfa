"""Records of one partition on their way into a chunk. Pure: time is an argument."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import accumulate, islice
from operator import attrgetter

from msgspec import Struct

from sinks.sink import Polled, bytes_of


class CutRule(Struct, frozen=True, gc=False):
    """A chunk is cut when it has so many rows or bytes, or its first record is so old."""

    rows: int
    bytes: int
    age_seconds: float


class Memory:
    """The bytes of records that all partitions hold together, in buffers and in chunks at work."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self.used_bytes = 0

    @property
    def is_full(self) -> bool:
        return self.used_bytes >= self._limit


class Pace:
    """How much longer than the rule says a chunk may wait: every insert has a fixed cost, so that
    five a second are enough, however many partitions hold records."""

    INSERTS_PER_SECOND = 5

    def __init__(self) -> None:
        self.holding: set[object] = set()  # the partitions whose buffers are not empty

    @property
    def stretch(self) -> float:
        return max(1.0, len(self.holding) / self.INSERTS_PER_SECOND)


class Buffer:
    """In order; what is cut leaves at once, what is not cut stays.

    Records are kept in the lists they came in: only the one that a cut goes through is looked at
    record by record.
    """

    def __init__(self, rule: CutRule) -> None:
        self._rule = rule
        self._fetched: deque[tuple[Sequence[Polled], int]] = deque()  # with their bytes
        self._rows = 0
        self._since: float | None = None  # when the oldest record came
        self.bytes = 0

    def __len__(self) -> int:
        return self._rows

    def add(self, records: Sequence[Polled], now: float) -> None:
        if not records:
            return
        size = bytes_of(records)
        self._fetched.append((records, size))
        self._rows += len(records)
        self.bytes += size
        if self._since is None:
            self._since = now

    @property
    def first(self) -> Polled | None:
        return self._fetched[0][0][0] if self._fetched else None

    @property
    def holds_chunk(self) -> bool:
        """Whether its rows or bytes make a chunk, whatever its age."""
        return self._rows >= self._rule.rows or self.bytes >= self._rule.bytes

    def seconds_until_ready(self, now: float, stretch: float = 1.0) -> float | None:
        """0 when a chunk can be cut; None while there is nothing to wait for."""
        if self._since is None:
            return None
        if self.holds_chunk:
            return 0.0
        return max(0.0, self._since + stretch * self._rule.age_seconds - now)

    def cut(self, now: float) -> list[Polled]:
        """The next chunk's records, within its limits; at least one."""
        taken: list[Polled] = []
        rows, room = self._rule.rows, self._rule.bytes
        while self._fetched:
            records, size = self._fetched[0]
            if len(records) > rows or size > room:
                taken += self._split(_fitting(records, rows, room, at_least=0 if taken else 1))
                break
            self._fetched.popleft()
            taken += records
            rows -= len(records)
            room -= size
        self._left(taken, now)
        return taken

    def cut_before(self, end: int, now: float) -> list[Polled]:
        """All records below offset `end`, whatever their number: a chunk whose bounds are set."""
        taken: list[Polled] = []
        while self._fetched:
            records, _ = self._fetched[0]
            if records[-1].offset >= end:
                taken += self._split(bisect_left(records, end, key=attrgetter("offset")))
                break
            self._fetched.popleft()
            taken += records
        self._left(taken, now)
        return taken

    def _split(self, count: int) -> Sequence[Polled]:
        """So many records of the first list leave it."""
        records, size = self._fetched[0]
        taken, rest = records[:count], records[count:]
        self._fetched.popleft()
        if rest:
            self._fetched.appendleft((rest, size - bytes_of(taken)))
        return taken

    def _left(self, taken: Sequence[Polled], now: float) -> None:
        self._rows -= len(taken)
        self.bytes = sum(size for _, size in self._fetched)
        self._since = now if self._fetched else None


def _fitting(records: Sequence[Polled], rows: int, room: int, at_least: int) -> int:
    """How many of the first records have no more than so many rows and bytes."""
    ends = list(accumulate(bytes_of((one,)) for one in islice(records, rows)))
    return max(at_least, bisect_right(ends, room))
