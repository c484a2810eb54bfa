"""The port to the spool: in this process, or in the one that keeps it for several workers."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from msgspec import Struct


class Fate(Enum):
    """What became of an entry that was handed to the spool."""

    STORED = 0  # on disk, synced
    DIRECT = 1  # not taken: the lane's log is empty, Kafka takes its events again
    FAILED = 2  # not known to be on disk


class SpoolAnswer(Struct, frozen=True, gc=False):
    fate: Fate
    reason: str = ""


STORED = SpoolAnswer(Fate.STORED)
DIRECT = SpoolAnswer(Fate.DIRECT)

Done = Callable[[SpoolAnswer], None]


class SpoolPort(Protocol):
    """Lanes are numbered as in `gateway.publish.kafka.places`."""

    def holds(self, lane: int) -> bool:
        """Whether events of a lane have to queue behind its log."""

    def append(self, lane: int, entry: bytes, is_trip: bool, done: Done) -> None:
        """Store an entry; `done` is called once. A trip says that Kafka does not take the lane's
        events in time: only a trip begins a log."""

    def unready_reason(self) -> str | None:
        """Why an entry could not be stored right now; None when it could."""
