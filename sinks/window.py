"""The event-id window: which records are copies of one already stored.

The rule is a function of the log, so that a replay drops the same records: drop the record at
offset o when a row with its identity was *inserted* from an offset in [o - N, o) of this
partition. A dropped or dead copy neither enters the window nor refreshes an entry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from sinks.sink import Row

SLICE = 5_000  # identities are forgotten so many at a time


class Choice(Struct, frozen=True, gc=False):
    """The rows to insert, and the copies to drop."""

    kept: list[Row]
    dropped: list[Row]


class IdWindow:
    """The identities of the rows inserted from the last `offsets` offsets, and of at most a slice
    before them."""

    def __init__(self, offsets: int) -> None:
        self._offsets = offsets
        self._newest: dict[bytes, int] = {}
        self._slices: deque[tuple[int, list[bytes]]] = deque()  # by their last offset

    def __len__(self) -> int:
        return len(self._newest)

    def choose(self, rows: Sequence[Row]) -> Choice:
        """Split a chunk's rows. Changes nothing: the chunk may have to be chosen again."""
        kept: list[Row] = []
        dropped: list[Row] = []
        chunk: dict[bytes, int] = {}
        for row in rows:
            if row.identity is None:
                kept.append(row)
                continue
            seen = chunk.get(row.identity)
            if seen is None:
                seen = self._newest.get(row.identity)
            if seen is not None and seen >= row.offset - self._offsets:
                dropped.append(row)
            else:
                kept.append(row)
                chunk[row.identity] = row.offset
        return Choice(kept, dropped)

    def remember(self, inserted: Sequence[tuple[int, bytes | None]], next_offset: int) -> None:
        """Rows were inserted from these offsets (ascending); forget what is out of reach now."""
        for first in range(0, len(inserted), SLICE):
            rows = inserted[first : first + SLICE]
            fresh = {identity: offset for offset, identity in rows if identity is not None}
            self._newest.update(fresh)
            self._slices.append((rows[-1][0], list(fresh)))
        horizon = next_offset - self._offsets
        while self._slices and self._slices[0][0] < horizon:
            for identity in self._slices.popleft()[1]:
                if self._newest.get(identity, horizon) < horizon:
                    del self._newest[identity]
