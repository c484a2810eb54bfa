"""Named queries: the questions analysts ask, as SQL files with a header that says what they mean.

A header line is `-- title: …`, `-- param: name Type [= default] meaning`, or `-- meaning: …`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from importlib.resources import files

from msgspec import Struct

_HEADER = re.compile(r"--\s*(title|param|meaning):\s*(.*)")
_PARAM = re.compile(r"(\w+)\s+(String|Date|UInt32)(?:\s*=\s*'([^']*)')?\s*(.*)")


class QueryError(Exception):
    """A query or a parameter is unknown or wrong. The text names it."""


class Param(Struct, frozen=True):
    """One parameter; `default` None means that it must be given, or is a period's bound."""

    name: str
    type: str
    default: str | None
    meaning: str


class NamedQuery(Struct, frozen=True):
    name: str
    title: str
    params: tuple[Param, ...]
    meaning: str
    sql: str

    def check(self, given: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
        """A value for every parameter. Raises QueryError naming the wrong one."""
        known = {param.name: param for param in self.params}
        for name in given:
            if name not in known:
                names = ", ".join(known)
                raise QueryError(f"query {self.name} has no parameter {name}; it has {names}")
        values: dict[str, str] = {}
        for param in self.params:
            value = given.get(param.name, param.default)
            value = defaults.get(param.name) if value is None else value
            if value is None:
                raise QueryError(f"query {self.name} needs --param {param.name}={param.type}")
            values[param.name] = _checked(param, value)
        return values


def _checked(param: Param, value: str) -> str:
    try:
        if param.type == "Date":
            return date.fromisoformat(value).isoformat()
        if param.type == "UInt32":
            return str(int(value))
    except ValueError:
        raise QueryError(f"parameter {param.name}: {value!r} is no {param.type}") from None
    return value


def names() -> list[str]:
    """All named queries."""
    folder = files("sinks.clickhouse") / "queries"
    return sorted(
        one.name.removesuffix(".sql") for one in folder.iterdir() if one.name.endswith(".sql")
    )


def load(name: str) -> NamedQuery:
    """The query of that name. Raises QueryError with the nearest name."""
    known = names()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
        raise QueryError(f"no query is called {name}{hint}")
    text = (files("sinks.clickhouse") / "queries" / f"{name}.sql").read_text(encoding="utf-8")
    return parse(name, text)


def parse(name: str, text: str) -> NamedQuery:
    """Read a query file."""
    header: dict[str, list[str]] = {"title": [], "param": [], "meaning": []}
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
    sql = "\n".join(code).strip().rstrip(";")
    return NamedQuery(
        name, " ".join(header["title"]), tuple(params), " ".join(header["meaning"]), sql
    )
