"""One lane of the spool: its log, its gate, and what is known of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.publish.produce import Place
from gateway.publish.spool.gate import LaneGate
from gateway.publish.spool.lane_log import LaneLog


class SpoolLane:
    """The log belongs to the disk's thread, everything else to the event loop's."""

    def __init__(self, number: int, place: Place, folder: Path) -> None:
        self.number = number
        self.place = place
        self.log = LaneLog(folder / place[0] / str(place[1]), folder / "quarantine")
        self.gate = LaneGate()
        self.bytes = 0  # in the log
        self.oldest_ms: int | None = None  # arrival of its first entry, Unix time
        self.failed_until = 0.0  # of the loop's clock: takes nothing until then
        self.is_draining = False
        self.changed = asyncio.Event()  # a commit has ended

    def __str__(self) -> str:
        topic, partition = self.place
        return f"{topic}-{partition}"
