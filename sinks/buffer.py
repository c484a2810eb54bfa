"""Records of one partition on their way into a chunk. Pure: time is an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from sinks.sink import Polled


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
    """In order; what is cut leaves at once, what is not cut stays."""

    def __init__(self, rule: CutRule) -> None:
        self._rule = rule
        self._records: deque[Polled] = deque()
        self._since: float | None = None  # when the oldest record came
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    def add(self, records: Sequence[Polled], now: float) -> None:
        self._records.extend(records)
        self.bytes += sum([record.size for record in records])
        if self._since is None and self._records:
            self._since = now

    @property
    def first(self) -> Polled | None:
        return self._records[0] if self._records else None

    @property
    def holds_chunk(self) -> bool:
        """Whether its rows or bytes make a chunk, whatever its age."""
        return len(self._records) >= self._rule.rows or self.bytes >= self._rule.bytes

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
        size = 0
        while self._records and len(taken) < self._rule.rows:
            record = self._records[0]
            more = record.size
            if taken and size + more > self._rule.bytes:
                break
            self._records.popleft()
            size += more
            taken.append(record)
        self.bytes -= size
        self._since = now if self._records else None
        return taken

    def cut_before(self, end: int, now: float) -> list[Polled]:
        """All records below offset `end`, whatever their number: a chunk whose bounds are set."""
        taken: list[Polled] = []
        while self._records and self._records[0].offset < end:
            taken.append(self._records.popleft())
        self.bytes -= sum(record.size for record in taken)
        self._since = now if self._records else None
        return taken
