"""The ledger: what phones sent, and what they were told of it.

A phone writes an entry per event before it first tries a POST, and one per event for every try, in
the order of the answers; as a phone makes one try at a time, that is each device's order. Entries
lie in memory, in a `LedgerFile`, or in both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal, Protocol, get_args

from msgspec import Struct

Outcome = Literal["posted", "accepted", "duplicate", "rejected", "refused", "unanswered"]
# posted: about to be tried for the first time. refused: the whole POST got a final no.
# unanswered: nobody knows whether it was kept.


class Entry(Struct, frozen=True, omit_defaults=True, gc=False):
    """One event in one try of a POST. `reason` says why it is not accepted."""

    device_id: str
    event_id: str
    outcome: Outcome
    sequence: int = 0  # 0 where the phone sends none
    reason: str = ""
    digest: str = ""  # of what it says, see `loadtest.digest`; empty where that is not known


class Totals(Struct, frozen=True, kw_only=True):
    """Answers by their outcome."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    refused: int = 0
    unanswered: int = 0

    @property
    def sent(self) -> int:
        return self.accepted + self.duplicate + self.rejected + self.refused + self.unanswered


class EntryFile(Protocol):
    """Where a ledger in memory writes its entries as well."""

    def append(self, entries: Iterable[Entry]) -> None:
        """Take entries to be written, in this order."""

    async def settle(self) -> None:
        """Return when every entry taken so far is on disk."""


class Ledger:
    """Entries in memory, in the order of the answers, and in `file` where one is given."""

    def __init__(self, entries: Iterable[Entry] = (), file: EntryFile | None = None) -> None:
        self.entries = list(entries)
        self._file = file

    def add(self, entries: Iterable[Entry]) -> None:
        added = list(entries)
        self.entries += added
        if self._file is not None:
            self._file.append(added)

    async def settle(self) -> None:
        """Return when every entry added so far is on disk, if there is a file. Raises OSError."""
        if self._file is not None:
            await self._file.settle()

    def totals(self) -> Totals:
        counts = Counter(one.outcome for one in self.entries)
        return Totals(**{name: counts[name] for name in get_args(Outcome) if name != "posted"})

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
            - {
                (one.device_id, one.event_id)
                for one in self.entries
                if one.outcome not in ("posted", "unanswered")
            }
        )

    def reasons(self) -> list[tuple[Outcome, str, int]]:
        """Why events were not accepted, and how many; the most frequent first."""
        counts = Counter((one.outcome, one.reason) for one in self.entries if one.reason)
        return [(outcome, reason, count) for (outcome, reason), count in counts.most_common()]
