"""A lane: the ordered queue of one topic-partition, and the POSTs that wait in it. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from gateway.contract.record import Record
from gateway.contract.verdict import Kept
from gateway.publish.publisher import Outcome, Settle

RECORD_OVERHEAD_BYTES = 64  # framing of one record in a batch, rounded up


class Post:
    """One POST on its way, in as many parts as it needs; it is kept when all of them are."""

    __slots__ = ("_open_parts", "_settle", "deadline", "is_settled")

    def __init__(self, open_parts: int, deadline: float, settle: Settle) -> None:
        self._open_parts = open_parts
        self._settle = settle
        self.deadline = deadline  # of the loop's clock, seconds
        self.is_settled = False

    def part_acked(self) -> None:
        self._open_parts -= 1
        if self._open_parts == 0:
            self.end(Outcome(Kept.KAFKA))

    def end(self, outcome: Outcome) -> None:
        """Settle once; what comes later changes nothing that the phone was told."""
        if not self.is_settled:
            self.is_settled = True
            self._settle(outcome)


class Part:
    """Records of one POST for one lane, few enough for one batch."""

    __slots__ = ("bytes", "post", "records")

    def __init__(self, post: Post, records: Sequence[Record]) -> None:
        self.post = post
        self.records = records
        self.bytes = sum(map(framed_bytes, records))


def framed_bytes(record: Record) -> int:
    """What a record takes in a batch, rounded up."""
    headers = sum(len(name) + len(value) + 8 for name, value in record.headers)
    return len(record.key) + len(record.value) + headers + RECORD_OVERHEAD_BYTES


def split(records: Sequence[Record], max_bytes: int) -> list[list[Record]]:
    """`records` in runs that each fit `max_bytes`; a record larger than that stands alone."""
    runs: list[list[Record]] = []
    size = 0
    for record in records:
        framed = framed_bytes(record)
        if not runs or size + framed > max_bytes:
            runs.append([])
            size = 0
        runs[-1].append(record)
        size += framed
    return runs


class Lane:
    """Parts in the order they came. At most one batch of it is unresolved at any time."""

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.queue: deque[Part] = deque()

    def add(self, part: Part) -> None:
        self.queue.append(part)

    def take(self, max_bytes: int) -> list[Part]:
        """The next parts that fit one batch, at least one. Those whose POST has already
        been told to come again are left out: the phone sends them anew."""
        taken: list[Part] = []
        size = 0
        while self.queue:
            part = self.queue[0]
            if part.post.is_settled:
                self.queue.popleft()
                continue
            size += part.bytes
            if taken and size > max_bytes:
                break
            taken.append(self.queue.popleft())
        return taken

    def forget_settled(self) -> None:
        """Let go of what expired while the lane was held up; POSTs expire in their order."""
        while self.queue and self.queue[0].post.is_settled:
            self.queue.popleft()
