"""A lane: the ordered queue of one topic-partition, and the POSTs that wait in it. Pure.

At most one batch of a lane is unresolved at any time, and its sequence number is spent only by the
broker's acknowledgement: so a resend is the same bytes, and no gap can arise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain

from gateway.contract.record import Run
from gateway.publish.publisher import IN_KAFKA, Outcome, Settle
from gateway.publish.records import SEQUENCES, Producer, frame, seal

RECORD_OVERHEAD_BYTES = 64  # framing of one record in a batch, rounded up
NEVER = float("inf")


def _ignore(_: Outcome) -> None:
    """The phone has been told."""


class Post:
    """One POST on its way, in as many parts as it needs; it is kept when all of them are."""

    __slots__ = ("_open_parts", "_outcome", "_settle", "deadline", "is_settled", "spool_at")

    def __init__(
        self, open_parts: int, deadline: float, settle: Settle, spool_at: float = NEVER
    ) -> None:
        self._open_parts = open_parts
        self._settle = settle
        self._outcome = IN_KAFKA
        self.deadline = deadline  # of the monotonic clock, seconds
        self.spool_at = spool_at  # what Kafka has not taken by then goes to the spool
        self.is_settled = False

    def part_kept(self, kept: Outcome) -> None:
        """IN_KAFKA or IN_SPOOL; what is in the spool in part counts as there."""
        self._open_parts -= 1
        if kept is not IN_KAFKA:
            self._outcome = kept
        if self._open_parts == 0:
            self.end(self._outcome)

    def end(self, outcome: Outcome) -> None:
        """Settle once; what comes later changes nothing that the phone was told."""
        if not self.is_settled:
            self.is_settled = True
            settle, self._settle = self._settle, _ignore  # lets go of all that waited
            settle(outcome)


class Part:
    """Records of one POST for one lane, few enough for one batch."""

    __slots__ = ("_first", "blob", "count", "is_kept", "is_spooling", "post", "runs")

    def __init__(self, post: Post, runs: Sequence[Run]) -> None:
        self.post = post
        self.runs = runs
        self.count = sum([len(one.values) for one in runs])  # of its records
        self.blob = b""
        self._first = -1
        self.is_spooling = False  # handed to the spool
        self.is_kept = False

    @property
    def may_be_spooled(self) -> bool:
        return not (self.is_spooling or self.post.is_settled or self.post.spool_at == NEVER)

    def keep(self, kept: Outcome) -> None:
        """It is safe; being so in two places counts once."""
        if not self.is_kept:
            self.is_kept = True
            self.post.part_kept(kept)

    def frame(self, first: int) -> bytes:
        """The records as they lie in a batch, from offset delta `first` on. Framed while they are
        hot, at their arrival; again only when something before them has left the lane."""
        if first != self._first:
            self._first = first
            self.blob = frame(self.runs, first)
        return self.blob


class Batch:
    """Records that the broker writes together or not at all."""

    __slots__ = (
        "_blobs", "_timestamp_ms", "chunks", "count", "is_in_flight", "is_unknown", "lane",
        "not_before", "parts",
    )  # fmt: skip

    def __init__(self, lane: Lane, parts: list[Part], timestamp_ms: int) -> None:
        self.lane = lane
        self.parts = parts
        self.count = 0
        self._blobs: list[bytes] = []
        for part in parts:
            self._blobs.append(part.frame(self.count))
            self.count += part.count
        self._timestamp_ms = timestamp_ms
        self.chunks: list[bytes] = []
        self.is_in_flight = False
        self.is_unknown = False  # sent, and never answered: only the broker knows
        self.not_before = 0.0  # of the monotonic clock, seconds

    def stamp(self, producer: Producer) -> None:
        """Write its header: who sends it, as which sequence number."""
        self.chunks = seal(
            self._blobs, self.count, self._timestamp_ms, producer, self.lane.sequence
        )


class Lane:
    """Parts in the order they came, and the batch that was made of the first of them."""

    def __init__(self, topic: str, partition: int, number: int = 0) -> None:
        self.number = number  # among all lanes of the gateway
        self.topic = topic
        self.partition = partition
        self.queue: deque[Part] = deque()
        self.unresolved: Batch | None = None
        self.sequence = 0  # of the next batch to be acknowledged
        self.spooling = 0  # parts on their way to the spool
        self._framed = 0  # records in the queue

    def add(self, part: Part) -> None:
        part.frame(self._framed)
        self._framed += part.count
        self.queue.append(part)

    def make_batch(self, max_bytes: int, timestamp_ms: int, producer: Producer) -> Batch | None:
        """A batch of the first parts that fit it, at least one, unresolved from now on. None when
        nothing waits. Parts whose POST was told to come again are left out: the phone sends them
        anew."""
        taken: list[Part] = []
        size = 0
        while self.queue:
            part = self.queue[0]
            if not part.post.is_settled:
                size += len(part.blob)
                if taken and size > max_bytes:
                    break
                taken.append(part)
            self.queue.popleft()
        self._framed = sum(part.count for part in self.queue)
        if not taken:
            return None
        self.unresolved = Batch(self, taken, timestamp_ms)
        self.unresolved.stamp(producer)
        return self.unresolved

    def written(self) -> None:
        """The unresolved batch is in Kafka."""
        batch = self._let_go()
        self.sequence = (self.sequence + batch.count) % SEQUENCES
        for part in batch.parts:
            part.keep(IN_KAFKA)

    def refused(self, reason: str) -> None:
        """The unresolved batch will never be in Kafka; its sequence is not spent."""
        for part in self._let_go().parts:
            if not part.is_spooling:
                part.post.end(Outcome(None, reason))

    def take_overdue(self, now: float) -> list[Part]:
        """When its oldest part has waited too long for Kafka: all that waits, in its order, to be
        spooled. The unresolved batch stays, because its outcome is open: it may become a copy."""
        sent = [] if self.unresolved is None else self.unresolved.parts
        waiting = (one for one in chain(sent, self.queue) if one.may_be_spooled)
        oldest = next(waiting, None)
        if oldest is None or oldest.post.spool_at > now:
            return []
        overdue = [oldest, *waiting]
        for part in overdue:
            part.is_spooling = True
        self.queue = deque(one for one in self.queue if not one.is_spooling)
        self._framed = sum(part.count for part in self.queue)
        return overdue

    def start_again(self, producer: Producer) -> None:
        """Count from 0 for another producer id."""
        self.sequence = 0
        if self.unresolved is not None:
            self.unresolved.stamp(producer)

    def forget_settled(self) -> None:
        """Let go of what expired while the lane was held up; POSTs expire in their order."""
        while self.queue and self.queue[0].post.is_settled:
            self.queue.popleft()
        self._framed = sum(part.count for part in self.queue)

    def _let_go(self) -> Batch:
        batch = self.unresolved
        assert batch is not None  # noqa: S101  # a caller's mistake
        self.unresolved = None
        return batch


def framed_bytes(run: Run) -> int:
    """What its records take in a batch, rounded up."""
    around = len(run.key) + RECORD_OVERHEAD_BYTES
    if run.headers:
        around += sum([len(name) + len(value) + 8 for name, value in run.headers])
    return sum(map(len, run.values)) + len(run.values) * around


def split(runs: Sequence[Run], max_bytes: int) -> list[Sequence[Run]]:
    """`runs` in parts that each fit `max_bytes`; a record larger than that stands alone."""
    if sum([framed_bytes(one) for one in runs]) <= max_bytes:
        return [runs]
    parts: list[Sequence[Run]] = []
    part: list[Run] = []
    size = 0
    for run in runs:
        for value in run.values:
            alone = Run(run.topic, run.key, [value], run.headers)
            framed = framed_bytes(alone)
            if not parts or size + framed > max_bytes:
                part = []
                parts.append(part)
                size = 0
            part.append(alone)
            size += framed
    return parts
