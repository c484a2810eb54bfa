"""A panel: one named query and how people see its answer: a chart, a table, tiles or a record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from sinks.clickhouse.present import plain
from sinks.clickhouse.sql import Answer, load
from sinks.console.view import View
from sinks.retrace.json_frames import readable

UNITS = {"percent": "%", "seconds": "s", "bytes": "bytes", "ms": "ms"}
NO_ID = UUID(int=0)
NONE = "-"
SHORT = 40  # characters that a table does not break


class Link(Struct, frozen=True):
    """Where a value leads: a page, and its parameters from columns of the row."""

    path: str
    params: Mapping[str, str]


class Chart(Struct, frozen=True, kw_only=True):
    """Columns as axes, `y` with spaces between; `series` splits the rows into lines."""

    kind: Literal["line", "bar", "area", "funnel"]
    x: str
    y: str
    y_title: str
    series: str = ""
    x_title: str = "day (UTC)"


class Panel(Struct, frozen=True, kw_only=True):
    """`links` go before LINKS, which every column of that name has."""

    id: str
    query: str
    title: str = ""  # else the query's
    form: Literal["table", "tiles", "triangle", "record"] = "table"
    chart: Chart | None = None  # above the table
    columns: str = ""  # shown, with spaces between; empty: all
    links: Mapping[str, Link] = {}
    needs: tuple[str, ...] = ()  # parameters of the URL without which there is nothing to ask
    needed: str = ""  # what to do when one is not there
    sums: bool = False
    must_be_zero: str = ""  # a column whose every value is zero when all is well
    live: bool = False
    wide: bool = False
    empty: str = "No events in this period with these filters. Choose more days, or fewer filters."


LINKS = {
    "app_version": Link("/live", {"release": "app_version"}),
    "code": Link("/dead-letters", {"code": "code"}),
    "crash_group": Link("/crash", {"group": "crash_group"}),
    "day": Link("/live", {"from": "day", "to": "day"}),
    "device_id": Link("/device", {"device": "device_id"}),
    "event_id": Link("/event", {"event_id": "event_id"}),
    "hour": Link("/live", {"from": "hour", "to": "hour"}),
}


class Cell(Struct, frozen=True):
    text: str
    href: str = ""
    is_number: bool = False
    kind: str = ""  # bad | long | short
    note: str = ""  # of a stack: what retraced it, or why nothing did
    original: str = ""  # of a retraced stack: as it came


class Shown(Struct, frozen=True, kw_only=True):
    """What the template needs of a panel; `failure` says why there is no answer."""

    panel: Panel
    title: str
    failure: str = ""
    heads: Sequence[Cell] = ()
    rows: Sequence[Sequence[Cell]] = ()
    sums: Sequence[Cell] = ()
    chart: str = ""
    triangle: Triangle | None = None
    cut_at: int = 0
    difference: float | None = None


class Triangle(Struct, frozen=True):
    """Cohorts by day number; a cell is its text and its shade, 0 to 9."""

    days: Sequence[int]
    rows: Sequence[tuple[str, str, Sequence[tuple[str, int, str]]]]


def show(panel: Panel, view: View, answer: Answer, max_rows: int) -> Shown:
    """The answer as people see it, with links to what is behind each value."""
    is_cut = len(answer.rows) > max_rows
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows[:max_rows]]
    columns = panel.columns.split() or answer.columns
    chart = _chart(panel.chart, panel, view, rows) if panel.chart and rows else ""
    return Shown(
        panel=panel,
        title=title_of(panel),
        heads=[
            Cell(head(name), is_number=any(_is_number(row[name]) for row in rows))
            for name in columns
        ],
        rows=[[_cell(panel, view, name, row) for name in columns] for row in rows],
        sums=_sums(columns, rows) if panel.sums and rows else (),
        chart=chart,
        triangle=_triangle(rows) if panel.form == "triangle" and rows else None,
        cut_at=max_rows if is_cut else 0,
        difference=_difference(panel, rows),
    )


def show_stack(shown: Shown, columns: Sequence[str], stack: str, note: str) -> Shown:
    """`shown` with its only row's crash stack replaced by `stack`, and a note beside it."""
    at = columns.index("crash_stack")
    came = shown.rows[0][at]
    text = text_of(_pretty("crash_stack", stack))
    original = came.text if came.text != text else ""
    cell = msgspec.structs.replace(came, text=text, note=note, original=original, kind="long")
    row = [*shown.rows[0][:at], cell, *shown.rows[0][at + 1 :]]
    return msgspec.structs.replace(shown, rows=[row])


def failed(panel: Panel, failure: str) -> Shown:
    return Shown(panel=panel, title=title_of(panel), failure=failure)


def title_of(panel: Panel) -> str:
    return panel.title or load(panel.query).title


def head(column: str) -> str:
    """A column's name as people read it, with its unit: `length_p50_seconds` → length p50, s."""
    words, _, last = column.rpartition("_")
    if words and last in UNITS:
        return f"{words.replace('_', ' ')}, {UNITS[last]}"
    return column.replace("_", " ")


def text_of(value: object) -> str:
    """A value as people read it."""
    if value is None or value == NO_ID or value == "":
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}" if value == value else NONE  # NaN: no such share
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        text = aware.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        return f"{text}.{aware.microsecond // 1000:03d}" if aware.microsecond else text
    if isinstance(value, dict):
        return "\n".join(f"{name} = {text_of(one)}" for name, one in value.items()) or NONE
    if isinstance(value, list | tuple):
        return ", ".join(text_of(one) for one in value) or NONE
    return str(value)


def as_param(value: object) -> str:
    """A value as a URL carries it to another query; a time becomes its day."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else str(value)


def href(link: Link, view: View, row: Mapping[str, object]) -> str:
    """Empty where the row has nothing to ask by."""
    params = {name: as_param(row.get(column)) for name, column in link.params.items()}
    if any(not value or value == str(NO_ID) for value in params.values()):
        return ""
    return view.url(link.path, **params)


def _cell(panel: Panel, view: View, name: str, row: Mapping[str, object]) -> Cell:
    value = row[name]
    text = text_of(_pretty(name, value))
    is_long = isinstance(value, dict) or "\n" in text or len(text) > SHORT
    kind = "bad" if name == panel.must_be_zero and value else "long" if is_long else "short"
    link = {**LINKS, **panel.links}.get(name)
    where = href(link, view, row) if link is not None and value not in (None, 0) else ""
    return Cell(text, where, _is_number(value), kind)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _pretty(name: str, value: object) -> object:
    """Stacks and originals that are JSON, on several lines; anything else as it is."""
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    if name == "crash_stack" and (text := readable(value)) != value:
        return text
    try:
        read = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return json.dumps(read, indent=1, ensure_ascii=False)


def _sums(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> list[Cell]:
    cells: list[Cell] = []
    for number, name in enumerate(columns):
        values = [row[name] for row in rows if isinstance(row[name], int)]
        cells.append(
            Cell("all" if number == 0 else "")
            if len(values) < len(rows)
            else Cell(text_of(sum(int(str(one)) for one in values)), is_number=True)
        )
    return cells


def _difference(panel: Panel, rows: Sequence[Mapping[str, object]]) -> float | None:
    if not panel.must_be_zero or not rows:
        return None
    return sum(abs(float(str(row[panel.must_be_zero]))) for row in rows)


def _chart(chart: Chart, panel: Panel, view: View, rows: Sequence[Mapping[str, object]]) -> str:
    """What the script draws, as JSON: lines with names, values and where a point leads."""
    lines: dict[str, dict[str, list[object]]] = {}
    for row in rows:
        for name in chart.y.split():
            key = text_of(row[chart.series]) if chart.series else head(name)
            line = lines.setdefault(key, {"x": [], "y": [], "href": []})
            line["x"].append(plain(row[chart.x]))
            line["y"].append(plain(row[name]))
            link = panel.links.get(name) or LINKS.get(chart.x)
            line["href"].append(href(link, view, row) if link else "")
    drawn = {
        "kind": chart.kind,
        "x_title": chart.x_title,
        "y_title": chart.y_title,
        "lines": [{"name": name, **line} for name, line in lines.items()],
    }
    return msgspec.json.encode(drawn).decode()


def _triangle(rows: Sequence[Mapping[str, object]]) -> Triangle:
    """Retention: a row per cohort, a column per day since its first; shaded by share."""
    cohorts: dict[str, dict[int, Mapping[str, object]]] = {}
    for row in rows:
        cohort = cohorts.setdefault(as_param(row["cohort_day"]), {})
        cohort[int(str(row["day_number"]))] = row
    last = max(int(str(row["day_number"])) for row in rows)
    found = []
    for day, cohort in cohorts.items():
        cells = []
        for number in range(last + 1):
            seen = cohort.get(number)
            if seen is None:
                cells.append(("", 0, ""))
                continue
            share = float(str(seen["share_percent"]))
            cells.append(
                (f"{share:.0f}", min(9, int(share / 10)), f"{text_of(seen['devices'])} devices")
            )
        size = next(iter(cohort.values()))["cohort_devices"]
        found.append((day, text_of(size), cells))
    return Triangle(range(last + 1), found)
