"""The ledger: what phones sent, and what they were promised for it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

Outcome = Literal["accepted", "duplicate", "rejected", "unanswered"]


class Entry(Struct, frozen=True):
    """One event of one POST that got its last answer."""

    device_id: str
    event_id: str
    outcome: Outcome


class Totals(Struct, frozen=True, kw_only=True):
    """Sums over a ledger, or over what ClickHouse says of it."""

    sent: int
    accepted: int
    duplicate: int
    rejected: int
    unanswered: int

    @property
    def difference(self) -> int:
        """Events without an outcome: must be zero."""
        return self.sent - self.accepted - self.duplicate - self.rejected - self.unanswered


class Ledger:
    """In the order of the answers, which is each device's order."""

    def __init__(self, entries: list[Entry] | None = None) -> None:
        self.entries = entries if entries is not None else []

    def record(self, device_id: str, event_ids: list[str], outcomes: list[Outcome]) -> None:
        """One POST's answer: an outcome for every event, in its order."""
        for event_id, outcome in zip(event_ids, outcomes, strict=True):
            self.entries.append(Entry(device_id, event_id, outcome))

    def totals(self) -> Totals:
        counts = dict.fromkeys(("accepted", "duplicate", "rejected", "unanswered"), 0)
        for entry in self.entries:
            counts[entry.outcome] += 1
        return Totals(sent=len(self.entries), **counts)

    def accepted_ids(self) -> dict[str, list[str]]:
        """Per device the accepted event ids in their order, first copies only."""
        devices: dict[str, dict[str, None]] = {}
        for entry in self.entries:
            if entry.outcome == "accepted":
                devices.setdefault(entry.device_id, {})[entry.event_id] = None
        return {device: list(ids) for device, ids in devices.items()}

    def save(self, path: Path) -> None:
        path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in self.entries))

    @classmethod
    def load(cls, path: Path) -> Ledger:
        """Raises msgspec.DecodeError on a line that is no entry."""
        lines = path.read_bytes().splitlines()
        return cls([msgspec.json.decode(line, type=Entry) for line in lines if line])
