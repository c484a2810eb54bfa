"""Fakes of the gateway's ports. Each passes the same contract suite as the real thing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.contract.readiness import Lack, Lacks
from gateway.contract.record import Run
from gateway.contract.verdict import Kept
from gateway.publish.publisher import Outcome, Settle
from tests.records import Record, of_runs


class FakePublisher:
    """Keeps records in memory; can be told to fail, or to hold its answers back."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.fail_next = 0
        self.loses = 0  # records of the next POST that are acknowledged and not kept
        self.reason: str | None = None
        self.holds = False
        self.held: list[Settle] = []

    def submit(self, runs: Sequence[Run], settle: Settle) -> None:
        if self.fail_next:
            self.fail_next -= 1
            settle(Outcome(None, "told to fail"))
            return
        self.records += of_runs(runs)[self.loses :]
        self.loses = 0
        if self.holds:
            self.held.append(settle)
        else:
            settle(Outcome(Kept.KAFKA))

    def lacks(self) -> Lacks:
        return {} if self.reason is None else {Lack.KAFKA: self.reason}

    def release(self) -> None:
        """Answer everything that was held back."""
        held, self.held = self.held, []
        for settle in held:
            settle(Outcome(Kept.KAFKA))

    def of(self, topic: str) -> list[Record]:
        return [one for one in self.records if one.topic == topic]


class FakeTransport(asyncio.Transport):
    """What a connection of the server writes to."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.is_closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...
