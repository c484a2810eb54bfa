"""The account of a run: what phones were promised against what ClickHouse holds."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from loadtest.ledger import Totals
from sinks.clickhouse.sql import AsyncClient, run_query


class Stored(Struct, frozen=True, kw_only=True):
    """Sums of the named query `account` over one app."""

    in_kafka: int = 0
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
    """Both sides; it closes when nothing is unexplained on either."""

    promised: Totals
    stored: Stored

    @property
    def difference(self) -> int:
        """Accepted events that are neither stored, nor a dropped copy, nor a dead letter."""
        kept = self.stored.stored + self.stored.duplicates_dropped + self.stored.dead_lettered
        return self.promised.accepted - kept

    @property
    def rejected_difference(self) -> int:
        """Rejected events that are no dead letter of the door."""
        return self.promised.rejected - self.stored.rejected_at_the_door

    @property
    def is_closed(self) -> bool:
        """An unanswered POST may have been kept: then nobody can close the account."""
        return not (
            self.difference
            or self.rejected_difference
            or self.promised.difference
            or self.promised.unanswered
        )


async def read_stored(client: AsyncClient, app: str, first: date, last: date) -> Stored:
    """Ask ClickHouse."""
    params = {"app": app, "from": str(first), "to": str(last)}
    answer = await run_query(client, "account", params, last)
    sums = dict.fromkeys(Stored.__struct_fields__, 0)
    for row in answer.as_objects():
        for name in sums:
            sums[name] += int(str(row[name]))
    return Stored(**sums)
