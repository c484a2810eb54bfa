"""What is done to an SDK's requests."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from tests.sdks.proxy import Step, answering, cut_after, forward

ORDERS = 3
LARGE_ORDERS = 6
NOTES = 60  # of 100 characters, in each large order
SMALL_BODY_BYTES = 16 * 1024  # the small gateway takes two of them


class Case(StrEnum):
    """Those that take longest come first."""

    OVERLOAD = "overload"  # the gateway's own answer when it cannot keep them
    BAD_KEY = "bad key"
    TOO_LARGE = "too large"  # together; each alone is not
    ACK_LOST = "answer lost"  # twice: the events are kept, and the connection ends
    BALANCER = "503"  # with Retry-After: 1, from whatever stands before the gateway
    LIFE = "life"  # nothing; a session with a crash


class Gateways(Struct, frozen=True):
    """The addresses of three of them, on one set of keys."""

    normal: str
    full: str  # keeps nothing: its Kafka is away and it has no spool
    small: str  # takes SMALL_BODY_BYTES

    def of(self, case: Case) -> str:
        return self.small if case is Case.TOO_LARGE else self.normal

    def steps(self, case: Case) -> Sequence[Step]:
        """What happens to the first POSTs."""
        if case is Case.ACK_LOST:
            return [cut_after(self.normal)] * 2
        if case is Case.OVERLOAD:
            return [forward(self.full)]
        if case is Case.BALANCER:
            return [answering(503, retry_after="1")]
        return []
