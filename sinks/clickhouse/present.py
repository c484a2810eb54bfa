"""An answer as people and programs read it: a table, JSON, or CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from sinks.clickhouse.sql import Answer

BOUNDLESS = 1_000_000  # columns: more than any row needs


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


def objects(answer: Answer) -> list[dict[str, object]]:
    """One per row, of plain values."""
    return [{name: plain(value) for name, value in row.items()} for row in answer.as_objects()]


def as_json(answer: Answer) -> str:
    """A list of objects, one per row."""
    return json.dumps(objects(answer), indent=2, ensure_ascii=False)


def as_csv(answer: Answer) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([[_cell(value) for value in row] for row in answer.rows])
    return text.getvalue().rstrip("\n")


def print_table(answer: Answer, title: str, console: Console) -> None:
    """One line per row; rows that are too wide for the console stand upright, one after another."""
    table = Table(title=title, title_justify="left")
    for name in answer.columns:
        table.add_column(name, overflow="fold")
    for row in answer.rows:
        table.add_row(*(_harmless(value) for value in row))
    boundless = console.options.update(width=BOUNDLESS)
    if answer.rows and console.measure(table, options=boundless).maximum > console.width:
        table = _upright(answer, title)
    console.print(table)
    if not answer.rows:
        console.print("no rows")


def print_facts(title: str, facts: Sequence[tuple[str, str]], console: Console) -> None:
    """A title, and below it named facts."""
    value = Column("value", overflow="fold")
    table = Table("fact", value, title=_harmless(title), title_justify="left")
    for name, text in facts:
        table.add_row(name, _harmless(text))
    console.print(table)


def _upright(answer: Answer, title: str) -> Table:
    table = Table("column", Column("value", overflow="fold"), title=title, title_justify="left")
    for row in answer.rows:
        for name, value in zip(answer.columns, row, strict=True):
            table.add_row(name, _harmless(value))
        table.add_section()
    return table


def _harmless(value: object) -> Text:
    """A cell in which nothing that a phone sent can steer the terminal."""
    return Text("".join(one if one.isprintable() or one == "\n" else "·" for one in _cell(value)))


def _cell(value: object) -> str:
    value = plain(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)
