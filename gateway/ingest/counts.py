"""What became of events, counted."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.metrics import Metrics
from gateway.prepare.batch import Outcomes


class Counts:
    """decoded = accepted + duplicate + rejected + refused, at any time no POST is in flight."""

    def __init__(self, metrics: Metrics) -> None:
        self._ignored = metrics.ignored
        self._events = metrics.events.counts
        self._types = metrics.accepted_types.counts
        self._rejections = metrics.rejections.counts

    def kept(self, outcomes: Sequence[Outcomes]) -> None:
        """Every event of a POST has its verdict."""
        events, types = self._events, self._types
        for one in outcomes:
            events["accepted",] += one.accepted
            for event_type, count in one.event_types.items():
                types[event_type,] += count
            if one.duplicates:
                events["duplicate",] += len(one.duplicates)
            if one.rejected:
                events["rejected",] += len(one.rejected)
                for rejection in one.rejected:
                    self._rejections[rejection.code,] += 1

    def ignored(self, protocol: str, items: int) -> None:
        """So many items are no events of ours."""
        self._ignored.add(protocol, count=items)

    def refused(self, events: int) -> None:
        """So many decoded events must come again."""
        self._events["refused",] += events
