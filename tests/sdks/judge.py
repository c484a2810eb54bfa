"""What a run says: what is stored, what is lost, and how fast the SDK came again. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from tests.sdks.proxy import Seen
from tests.sdks.run import Run

NO_SESSION = "00000000-0000-0000-0000-000000000000"


class Outcome(Struct, frozen=True):
    """A run, and the rows that it left, each as often as it is stored."""

    run: Run
    rows: Sequence[dict[str, Any]]

    @property
    def types(self) -> Counter[str]:
        return Counter(str(one["event_type"]) for one in self.rows)

    @property
    def stored(self) -> int:
        """Orders that are there."""
        return len(set(self.run.orders) & {str(one["event_name"]) for one in self.rows})

    @property
    def is_once(self) -> bool:
        """No event id twice, no order twice."""
        ids = {one["event_id"] for one in self.rows}
        orders = [one["event_name"] for one in self.rows if one["event_name"] in self.run.orders]
        return len(ids) == len(self.rows) and len(set(orders)) == len(orders)

    @property
    def failed(self) -> int:
        """POSTs that the SDK heard no success of."""
        return sum(one.status != 200 for one in self.run.seen)

    @property
    def waits(self) -> list[float]:
        """Seconds from each answer that was no success to the same POST again."""
        seen = sorted(self.run.seen, key=lambda one: one.at)
        found = []
        for number, first in enumerate(seen):
            again = _again(first, seen[number + 1 :]) if first.status != 200 else None
            if again is not None:
                found.append(max(again.at - first.answered_at, 0.0))
        return found

    def most_in_a_second(self) -> int:
        """Of the same POST."""
        times: dict[frozenset[str], list[float]] = {}
        for one in self.run.seen:
            times.setdefault(one.orders, []).append(one.at)
        return max(
            (sum(start <= at < start + 1 for at in ats) for ats in times.values() for start in ats),
            default=0,
        )


def _again(first: Seen, later: Sequence[Seen]) -> Seen | None:
    return next((one for one in later if one.orders == first.orders), None)
