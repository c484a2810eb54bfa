"""Give stored crashes the group that the current rule gives them.

Month by month: crashes of an older version are read, those whose group changes are moved, their
days are counted again in `crash_groups`, and only then are they marked with the current version.
So whatever ends a run, the next one finds what is left, and doing a part twice changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from gateway.contract.grouping.group import GROUP_VERSION, group_of
from gateway.contract.record import EPOCH
from sinks.clickhouse.sql import AsyncClient, Unreachable, answered
from sinks.regroup import statements

PAGE_ROWS = 500  # a row may have a stack of 384 KiB
MOVE_ROWS = 5_000  # in one statement, which must stay below a server's usual 256 KiB
SETTLED = timedelta(minutes=10)  # an insert older than that has ended
COUNT_DAYS = 7  # counted in one statement
POLL_SECONDS = 0.2
CHANGE_SECONDS = 3600.0  # for one statement to reach all rows


class ChangeFailed(Exception):
    """ClickHouse could not change rows. The text is its own."""


class Month(Struct, frozen=True):
    """A partition of `events`, and its crashes of an older version."""

    name: str
    crashes: int


class Run(Struct, frozen=True):
    """Rows that lie together in the sorting key."""

    app: str
    type: str
    day: date


class Report(Struct):
    """What was done: crashes read, crashes that have another group now, and what is left."""

    read: int = 0
    moved: int = 0
    left: int = 0


class Regrouping:
    """One run over all months. `until` bounds the rows that it looks at."""

    def __init__(
        self,
        client: AsyncClient,
        now: datetime,
        told: Callable[[int], None],
        *,
        page_rows: int = PAGE_ROWS,
        move_rows: int = MOVE_ROWS,
    ) -> None:
        self._client = client
        self._page_rows, self._move_rows = page_rows, move_rows
        self._told = told  # is told how many crashes more were read
        self._asked = {"version": GROUP_VERSION, "until": _text(now - SETTLED)}
        self.report = Report()

    async def months(self) -> list[Month]:
        return [Month(*row) for row in await self._rows(statements.MONTHS)]

    async def run(self, months: list[Month]) -> Report:
        """Raises Unreachable, ClickHouseError, ChangeFailed."""
        for month in months:
            await self._move(month.name)
            await self._count(month.name)
            await self._change("events", statements.MARK, month=month.name)
        ((self.report.left,),) = await self._rows(statements.LEFT)
        return self.report

    async def _move(self, month: str) -> None:
        groups: dict[int, int] = {}
        for row in await self._rows(statements.RUNS, month=month):
            async for key, old, new in self._crashes(month, Run(*row)):
                if old != new:
                    groups[key] = new
                if len(groups) == self._move_rows:
                    await self._change("events", statements.move(groups), month=month)
                    groups.clear()
        if groups:
            await self._change("events", statements.move(groups), month=month)

    async def _crashes(self, month: str, run: Run) -> AsyncIterator[tuple[int, int, int]]:
        """Key, stored group and current group of each crash."""
        device, at, event = "", EPOCH, UUID(int=0)
        while True:
            rows = await self._rows(
                statements.PAGE,
                month=month,
                app=run.app,
                type=run.type,
                day=run.day,
                device=device,
                at=_text(at),
                event=str(event),
                limit=self._page_rows,
            )
            for *_, key, old, kind, exception_type, reason, stack in rows:
                new = group_of(kind, exception_type, reason, stack)
                self.report.moved += new != old
                yield key, old, new
            self.report.read += len(rows)
            self._told(len(rows))
            if len(rows) < self._page_rows:
                return
            device, at, event = rows[-1][:3]

    async def _count(self, month: str) -> None:
        """Count the days of these crashes anew, in all their groups."""
        for app, found in await self._rows(statements.DAYS, month=month):
            days = sorted(found)
            for start in range(0, len(days), COUNT_DAYS):
                part = days[start : start + COUNT_DAYS]
                await self._change("crash_groups", statements.FORGET_DAYS, app=app, days=part)
                await self._send(statements.COUNT_DAYS, app=app, days=part)

    async def _change(self, table: str, statement: str, **values: object) -> None:
        """Send the statement, and wait until it has reached every row that was stored before."""
        await self._send(statement, **values)
        try:
            async with asyncio.timeout(CHANGE_SECONDS):
                while True:
                    ((left, reason),) = await self._rows(statements.UNFINISHED, table=table)
                    if reason:
                        raise ChangeFailed(f"telemetry.{table}: {' '.join(str(reason).split())}")
                    if not left:
                        return
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise Unreachable(f"no change of telemetry.{table} in {CHANGE_SECONDS:g} s") from None

    async def _send(self, statement: str, **values: object) -> None:
        # A day counted twice must be written twice, as it was deleted in between. There are servers
        # that take the second INSERT … SELECT for a copy of the first.
        settings = {"insert_deduplicate": "0"}
        call = self._client.command(
            statement, parameters={**self._asked, **values}, settings=settings
        )
        await answered(call)

    async def _rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        call = self._client.query(statement, parameters={**self._asked, **values})
        return [tuple(row) for row in (await answered(call)).result_rows]


def _text(instant: datetime) -> str:
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
