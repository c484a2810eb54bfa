"""The port through which a POST's records are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from gateway.contract.readiness import Lacks
from gateway.contract.record import Run
from gateway.contract.verdict import Kept


class Outcome(Struct, frozen=True, gc=False):
    """How keeping one POST's records ended, for all of them at once.

    `kept` is None when not every record is known to be kept: the phone must send the POST again.
    """

    kept: Kept | None
    reason: str = ""


IN_KAFKA, IN_SPOOL = Outcome(Kept.KAFKA), Outcome(Kept.SPOOL)

Settle = Callable[[Outcome], None]


class Publisher(Protocol):
    """Keeps records. Called from the event loop's thread; never blocks."""

    def submit(self, runs: Sequence[Run], settle: Settle) -> None:
        """Keep these records; within the publisher's deadline `settle` is called exactly once.

        Records of one key keep their order, within one call and from call to call.
        """

    def lacks(self) -> Lacks:
        """Why events cannot be kept right now; empty when they can."""
