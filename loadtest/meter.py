"""What a load run measures, a second at a time. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from loadtest.latency import bucket_of, quantile

NO_REPLY = "no reply"
SHORTEST_SECONDS = 0.5  # over which a rate says something


class Sample(Struct, frozen=True, kw_only=True):
    """What happened since the sample before. Goodput is `accepted`: events of answers 200."""

    at: float  # seconds since the run began
    length: float  # seconds it covers
    users: int = 0  # phones at the end of it
    accepted: int = 0
    refused: int = 0  # POSTs that got a final no, or a 200 that cannot be read
    broken: int = 0  # phones that failed in our own code
    answers: dict[str, int] = {}  # by status; NO_REPLY where there was none
    latencies: dict[int, int] = {}  # by bucket, see `loadtest.latency`; of answers only
    retry_after: dict[int, int] = {}  # seconds that answers asked for

    @property
    def requests(self) -> int:
        return sum(self.answers.values())

    @property
    def is_idle(self) -> bool:
        """Nobody was there, and nothing happened."""
        return self.users == 0 and self.requests == 0

    def latency_ms(self, share: float) -> float:
        return quantile(self.latencies, share)


class Meter:
    """Counts until the next sample is taken."""

    def __init__(self) -> None:
        self._at = 0.0
        self._clear()

    def _clear(self) -> None:
        self._accepted = self._refused = self._broken = 0
        self._answers: Counter[str] = Counter()
        self._latencies: Counter[int] = Counter()
        self._retry_after: Counter[int] = Counter()

    def answered(self, status: int, seconds: float, asked: float) -> None:
        """An answer; status 0 is none."""
        self._answers[str(status) if status else NO_REPLY] += 1
        if status:
            self._latencies[bucket_of(seconds * 1000)] += 1
        if asked:
            self._retry_after[int(asked)] += 1

    def settled(self, accepted: int, *, is_refused: bool) -> None:
        """What the answer said of its events."""
        self._accepted += accepted
        self._refused += is_refused

    def broke(self) -> None:
        """A phone failed in our own code."""
        self._broken += 1

    def sample(self, at: float, users: int) -> Sample:
        """Everything since the sample before."""
        taken = Sample(
            at=at,
            length=at - self._at,
            users=users,
            accepted=self._accepted,
            refused=self._refused,
            broken=self._broken,
            answers=dict(self._answers),
            latencies=dict(self._latencies),
            retry_after=dict(self._retry_after),
        )
        self._at = at
        self._clear()
        return taken


def total(samples: Sequence[Sample]) -> Sample:
    """The whole run as one sample; `users` is the most there were."""
    answers: Counter[str] = Counter()
    latencies: Counter[int] = Counter()
    retry_after: Counter[int] = Counter()
    for one in samples:
        answers.update(one.answers)
        latencies.update(one.latencies)
        retry_after.update(one.retry_after)
    return Sample(
        at=samples[-1].at if samples else 0.0,
        length=sum(one.length for one in samples),
        users=max((one.users for one in samples), default=0),
        accepted=sum(one.accepted for one in samples),
        refused=sum(one.refused for one in samples),
        broken=sum(one.broken for one in samples),
        answers=dict(answers),
        latencies=dict(latencies),
        retry_after=dict(retry_after),
    )


def joined(samples: Sequence[Sample]) -> list[Sample]:
    """The same, but a last sample too short for a rate is part of the one before."""
    if len(samples) < 2 or samples[-1].length >= SHORTEST_SECONDS:
        return list(samples)
    return [*samples[:-2], total(samples[-2:])]
