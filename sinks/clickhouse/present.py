"""An answer as people and programs read it: a table, JSON, or CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import UTC, date, datetime
from uuid import UUID

from rich.console import Console
from rich.table import Table

from sinks.clickhouse.sql import Answer

MAX_COLUMNS = 15  # of a table that a terminal can show


def plain(value: object) -> object:
    """A value as JSON has it: times as ISO 8601, ids as text, no NaN."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + (
            f"{aware.microsecond // 1000:03d}Z"
        )
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def as_json(answer: Answer) -> str:
    """A list of objects, one per row."""
    objects = [{name: plain(value) for name, value in row.items()} for row in answer.as_objects()]
    return json.dumps(objects, indent=2, ensure_ascii=False)


def as_csv(answer: Answer) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([[_cell(value) for value in row] for row in answer.rows])
    return text.getvalue().rstrip("\n")


def print_table(answer: Answer, title: str, console: Console) -> None:
    """One line per row; a single row that is too wide for that stands upright."""
    if len(answer.rows) == 1 and len(answer.columns) > MAX_COLUMNS:
        upright: list[tuple[object, ...]] = [*zip(answer.columns, answer.rows[0], strict=True)]
        answer = Answer(("column", "value"), upright)
    table = Table(title=title, title_justify="left")
    for name in answer.columns:
        table.add_column(name, overflow="fold")
    for row in answer.rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)
    if not answer.rows:
        console.print("no rows")


def _cell(value: object) -> str:
    value = plain(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)
