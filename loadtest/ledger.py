"""The ledger: what phones sent, and what they were told of it. Kept as JSON lines.

Every try of a POST leaves one entry per event, in the order of the answers; as a phone makes one
try at a time, that is each device's order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

import msgspec
from msgspec import Struct

Outcome = Literal["accepted", "duplicate", "rejected", "refused", "unanswered"]
# refused: the whole POST got a final no. unanswered: nobody knows whether it was kept.


class Entry(Struct, frozen=True, omit_defaults=True, gc=False):
    """One event in one try of a POST. `reason` says why it is not accepted."""

    device_id: str
    event_id: str
    outcome: Outcome
    sequence: int = 0  # 0 where the phone sends none
    reason: str = ""


class Totals(Struct, frozen=True, kw_only=True):
    """Entries by their outcome."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    refused: int = 0
    unanswered: int = 0

    @property
    def sent(self) -> int:
        return self.accepted + self.duplicate + self.rejected + self.refused + self.unanswered


class Ledger:
    """Entries in the order of the answers."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = list(entries)

    def add(self, entries: Iterable[Entry]) -> None:
        self.entries.extend(entries)

    def totals(self) -> Totals:
        counts = Counter(one.outcome for one in self.entries)
        return Totals(**{name: counts[name] for name in get_args(Outcome)})

    def accepted(self) -> dict[str, list[Entry]]:
        """Per device the accepted events in their order, each once."""
        devices: dict[str, dict[str, Entry]] = {}
        for one in self.entries:
            if one.outcome == "accepted":
                devices.setdefault(one.device_id, {}).setdefault(one.event_id, one)
        return {device: list(events.values()) for device, events in devices.items()}

    def given_up(self) -> int:
        """How many events were tried, and never got a final answer."""
        tried = {(one.device_id, one.event_id) for one in self.entries}
        return len(
            tried
            - {(one.device_id, one.event_id) for one in self.entries if one.outcome != "unanswered"}
        )

    def reasons(self) -> list[tuple[Outcome, str, int]]:
        """Why events were not accepted, and how many; the most frequent first."""
        counts = Counter((one.outcome, one.reason) for one in self.entries if one.reason)
        return [(outcome, reason, count) for (outcome, reason), count in counts.most_common()]

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            file.writelines(msgspec.json.encode(one) + b"\n" for one in self.entries)

    @classmethod
    def load(cls, path: Path) -> Ledger:
        """Raises OSError, and msgspec.DecodeError on a line that is no entry."""
        with path.open("rb") as file:
            return cls(msgspec.json.decode(line, type=Entry) for line in file if line.strip())
