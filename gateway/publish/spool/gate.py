"""One lane's way between Kafka and its log: DIRECT, SPOOL, and the gate that leads back. Pure.

While a log is drained, new entries go behind it, so under steady traffic it would never be empty.
The gate holds them back while what seems to be the rest is sent; when that is in Kafka and nothing
else was written, the lane is DIRECT again and the held ones go to Kafka, too. Else they go behind
the log after all.
"""

from __future__ import annotations

from msgspec import Struct

from gateway.publish.spool.port import DIRECT, Done


class Waiting(Struct, frozen=True, gc=False):
    """An entry on its way to disk, and who waits for it."""

    entry: bytes
    done: Done


class LaneGate:
    """What one lane's entries wait for."""

    def __init__(self) -> None:
        self.is_spooled = False
        self.is_gated = False
        self.in_commit = 0  # entries that are being written
        self.pending: list[Waiting] = []  # for the next commit
        self._held: list[Waiting] = []

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is being written, and nothing waits to be."""
        return not self.pending and not self.in_commit

    def take(self, waiting: Waiting, is_trip: bool) -> bool:
        """An entry goes behind the log; whether something is to be written now."""
        self.is_spooled = True
        if self.is_gated:
            self._held.append(waiting)
            return self.open() if is_trip else False
        self.pending.append(waiting)
        return True

    def close(self) -> None:
        """What comes from now on is held back."""
        self.is_gated = True

    def open(self) -> bool:
        """What was held back goes behind the log; whether there was something."""
        self.is_gated = False
        self.pending += self._held
        self._held = []
        return bool(self.pending)

    def commit(self) -> list[Waiting]:
        """What is to be written now."""
        taken, self.pending = self.pending, []
        self.in_commit = len(taken)
        return taken

    def to_direct(self) -> int:
        """The log is empty: Kafka takes the lane's events again, first those held back. Their
        bytes."""
        self.is_spooled = self.is_gated = False
        held, self._held = self._held, []
        for waiting in held:
            waiting.done(DIRECT)
        return sum(len(one.entry) for one in held)
