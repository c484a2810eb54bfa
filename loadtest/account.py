"""The account of a run: what phones were promised against what ClickHouse holds."""

from __future__ import annotations

from datetime import UTC, date, datetime

from msgspec import Struct

from loadtest.ledger import Ledger, Totals
from sinks.clickhouse.sql import AsyncClient, run_query


class Stored(Struct, frozen=True, kw_only=True):
    """Sums of the named query `account` over one app."""

    stored: int = 0
    duplicates_dropped: int = 0
    dead_lettered: int = 0
    rejected_at_the_door: int = 0

    def since(self, before: Stored) -> Stored:
        """What came on top of `before`."""
        return Stored(
            **{name: getattr(self, name) - getattr(before, name) for name in self.__struct_fields__}
        )


class Account(Struct, frozen=True, kw_only=True):
    """Both sides; it closes when nothing is unexplained on either.

    A try without an answer may have been kept. What ClickHouse holds beyond the promises, up to
    the number of such tries, is theirs.
    """

    promised: Totals
    stored: Stored

    @property
    def kept(self) -> int:
        """Events that Kafka was given: each is a row, a dropped copy of one, or a dead letter."""
        return self.stored.stored + self.stored.duplicates_dropped + self.stored.dead_lettered

    @property
    def kept_unanswered(self) -> int:
        """Tries without an answer that were kept after all."""
        return min(max(self.kept - self.promised.accepted, 0), self.promised.unanswered)

    @property
    def difference(self) -> int:
        """Accepted events that are nowhere; negative: kept events that nobody sent."""
        return self.promised.accepted + self.kept_unanswered - self.kept

    @property
    def rejected_difference(self) -> int:
        """Rejected events without a dead letter; negative: letters that nobody caused."""
        missing = self.promised.rejected - self.stored.rejected_at_the_door
        return missing if missing > 0 else min(0, missing + self.promised.unanswered)

    @property
    def is_closed(self) -> bool:
        return self.difference == 0 and self.rejected_difference == 0


class Books:
    """The account of one app, from the moment the books were opened. Nobody else may post to the
    app meanwhile: what others send would be kept events that nobody sent."""

    def __init__(self, client: AsyncClient, app: str, first: date, before: Stored) -> None:
        self._client = client
        self._app = app
        self._first = first
        self._before = before

    @classmethod
    async def open(cls, client: AsyncClient, app: str) -> Books:
        """Raises Unreachable, ClickHouseError."""
        first = _today()
        return cls(client, app, first, await _read_stored(client, app, first))

    async def account(self, ledger: Ledger) -> Account:
        """How things stand now. Raises Unreachable, ClickHouseError."""
        stored = await _read_stored(self._client, self._app, self._first)
        return Account(promised=ledger.totals(), stored=stored.since(self._before))


async def _read_stored(client: AsyncClient, app: str, first: date) -> Stored:
    last = _today()
    params = {"app": app, "from": str(first), "to": str(last)}
    answer = await run_query(client, "account", params, last)
    sums = dict.fromkeys(Stored.__struct_fields__, 0)
    for row in answer.as_objects():
        for name in sums:
            sums[name] += int(str(row[name]))
    return Stored(**sums)


def _today() -> date:
    return datetime.now(UTC).date()
