"""docs/SQL.md: its questions, and their answers as the page shows them.

The example's days lie in November 2026. Tables forget what is older than a year, so that questions
are asked of days not long ago, some whole weeks away; answers are moved back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from sinks.clickhouse.present import plain
from sinks.clickhouse.sql import AsyncClient
from tests.stored import COLUMNS, insert

FOLDER = Path(__file__).parents[1] / "docs"
PAGE = FOLDER / "SQL.md"
EVENTS = FOLDER / "sql" / "events.jsonl"
APP = "shop"
FIRST = date(2026, 11, 2)

_QUESTION = re.compile(
    r"^### (\d+)\. ([^\n]+)\n\n```sql\n((?:[^`].*\n|\n)+)```\n\n?((?:\|.*\n)*)", re.M
)
_DAY = re.compile(r"\b20\d\d-\d\d-\d\d(?!\d)")


class Question(Struct, frozen=True):
    number: int
    text: str
    sql: str
    answer: str  # a table in Markdown


def questions() -> list[Question]:
    found = _QUESTION.findall(PAGE.read_text(encoding="utf-8"))
    return [Question(int(number), text, sql, answer) for number, text, sql, answer in found]


class Example:
    """The example's rows under an app of their own, some whole weeks away from their days."""

    def __init__(self, app_id: str) -> None:
        self._app = app_id
        weeks = (datetime.now(UTC).date() - timedelta(days=30) - FIRST).days // 7
        self._shift = timedelta(weeks=weeks)

    async def store(self, writer: AsyncClient) -> None:
        text = EVENTS.read_text(encoding="utf-8")
        rows = [json.loads(one) for one in self._moved(text, self._shift).splitlines()]
        for row in rows:
            row.update(app_id=self._app, kafka_topic=f"example-{self._app}")
        for token in ("first", "again"):  # copies must change no answer
            await insert(writer, "telemetry.events", COLUMNS, rows, f"{self._app}-{token}")

    async def answer(self, reader: AsyncClient, question: Question) -> str:
        asked = self._moved(question.sql, self._shift).replace(f"'{APP}'", f"'{self._app}'")
        found = await reader.query(asked)
        rows = [[plain(value) for value in row] for row in found.result_rows]
        return self._moved("".join(_table(found.column_names, rows)), -self._shift)

    @staticmethod
    def _moved(text: str, shift: timedelta) -> str:
        return _DAY.sub(lambda day: str(date.fromisoformat(day[0]) + shift), text)


def _table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |\n"
    yield f"|{' --- |' * len(names)}\n"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |\n"
