"""Named queries: the questions analysts ask, as SQL files with a header that says what they mean.

A header line is `-- title: …`, `-- param: name Type [= 'default'] meaning`, `-- columns: a, b`
(what it answers, in order) or `-- meaning: …`. The parameters `from` and `to` are a period.
A line `-- include: name` stands for the file of that name in `queries/parts`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from textwrap import indent

from msgspec import Struct

_HEADER = re.compile(r"--\s*(title|param|columns|meaning):\s*(.*)")
_INCLUDE = re.compile(r"^( *)-- include: (\w+)$", re.MULTILINE)
_PARAM = re.compile(r"(\w+)\s+(String|Date|UInt32)(?:\s*=\s*'([^']*)')?\s*(.*)")

PERIOD_DAYS = 30  # of the period that is asked about when none is given
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(2149, 6, 6)  # what ClickHouse's Date can hold
_MAX_UINT32 = 2**32 - 1


class QueryError(Exception):
    """A query or a parameter is unknown or wrong. The text names it."""


class Param(Struct, frozen=True):
    """One parameter; `default` None means that it must be given, or is a bound of the period."""

    name: str
    type: str
    default: str | None
    meaning: str


class NamedQuery(Struct, frozen=True):
    name: str
    title: str
    params: tuple[Param, ...]
    columns: tuple[str, ...]
    meaning: str
    sql: str

    def check(self, given: Mapping[str, str], today: date) -> dict[str, str]:
        """A value for every parameter. Raises QueryError naming the wrong one.

        `to` defaults to `today`, `from` to the 30 days that end with `to`.
        """
        known = {param.name: param for param in self.params}
        for name in given:
            if name not in known:
                names = ", ".join(known)
                raise QueryError(f"query {self.name} has no parameter {name}; it has {names}")
        values = {name: _checked(known[name], value) for name, value in given.items()}
        defaults = _period(values.get("to", today.isoformat()))
        for param in self.params:
            default = defaults.get(param.name) if param.default is None else param.default
            if param.name not in values and default is None:
                raise QueryError(f"query {self.name} needs --param {param.name}={param.type}")
            values.setdefault(param.name, default or "")
        if values.get("from", "") > values.get("to", ""):
            raise QueryError(f"parameter from: {values['from']} is after to, {values['to']}")
        return values


def _period(to: str) -> dict[str, str]:
    first = max(_FIRST_DAY, date.fromisoformat(to) - timedelta(days=PERIOD_DAYS - 1))
    return {"from": first.isoformat(), "to": to}


def _checked(param: Param, value: str) -> str:
    """The value as the server reads it. Raises QueryError."""
    try:
        value.encode()  # an argument that is not UTF-8 is no text
        if param.type == "Date":
            day = date.fromisoformat(value)
            if _FIRST_DAY <= day <= _LAST_DAY:
                return day.isoformat()
            raise QueryError(f"parameter {param.name}: {value} is not in 1970-01-01..2149-06-06")
        if param.type == "UInt32":
            if 0 <= int(value) <= _MAX_UINT32:
                return str(int(value))
            raise QueryError(f"parameter {param.name}: {value} is not in 0..{_MAX_UINT32}")
    except ValueError:
        raise QueryError(f"parameter {param.name}: {value!r} is no {param.type}") from None
    return value


def names() -> list[str]:
    """All named queries."""
    folder = files("sinks.clickhouse") / "queries"
    return sorted(
        one.name.removesuffix(".sql") for one in folder.iterdir() if one.name.endswith(".sql")
    )


@cache
def load(name: str) -> NamedQuery:
    """The query of that name. Raises QueryError with the nearest name."""
    known = names()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
        raise QueryError(f"no query is called {name}{hint}")
    return parse(name, _INCLUDE.sub(_part, _text(f"{name}.sql")))


def _part(line: re.Match[str]) -> str:
    """What a query shares with others, as deep as the line that stands for it."""
    return indent(_text("parts", f"{line[2]}.sql").rstrip("\n"), line[1])


def _text(*path: str) -> str:
    return files("sinks.clickhouse").joinpath("queries", *path).read_text(encoding="utf-8")


def parse(name: str, text: str) -> NamedQuery:
    """Read a query file."""
    header: dict[str, list[str]] = {"title": [], "param": [], "columns": [], "meaning": []}
    code: list[str] = []
    for line in text.splitlines():
        match = _HEADER.match(line)
        if match:
            header[match.group(1)].append(match.group(2).strip())
        else:
            code.append(line)
    params: list[Param] = []
    for line in header["param"]:
        match = _PARAM.fullmatch(line)
        if match is None:
            raise QueryError(f"query {name}: parameter line {line!r} cannot be read")
        params.append(Param(match[1], match[2], match[3], match[4]))
    return NamedQuery(
        name=name,
        title=" ".join(header["title"]),
        params=tuple(params),
        columns=tuple(", ".join(header["columns"]).split(", ")),
        meaning=" ".join(header["meaning"]),
        sql="\n".join(code).strip().removesuffix(";"),
    )
