"""The event-id window: which records are copies of one already stored.

The rule is a function of the log, so that a replay drops the same records: drop the record at
offset o when a row with its identity was *inserted* from an offset in [o - N, o) of this
partition. A dropped or dead copy neither enters the window nor refreshes an entry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import Struct

from sinks.sink import Row


class Choice(Struct, frozen=True, gc=False):
    """The rows to insert, and the copies to drop."""

    kept: list[Row]
    dropped: list[Row]


class IdWindow:
    """The identities of the rows inserted from the last `offsets` offsets."""

    def __init__(self, offsets: int) -> None:
        self._offsets = offsets
        self._newest: dict[bytes, int] = {}
        self._order: deque[tuple[int, bytes]] = deque()

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

    def remember(self, inserted: Iterable[tuple[int, bytes | None]], next_offset: int) -> None:
        """Rows were inserted from these offsets (ascending); forget what is out of reach now."""
        for offset, identity in inserted:
            if identity is not None:
                self._newest[identity] = offset
                self._order.append((offset, identity))
        horizon = next_offset - self._offsets
        while self._order and self._order[0][0] < horizon:
            offset, identity = self._order.popleft()
            if self._newest.get(identity) == offset:
                del self._newest[identity]
