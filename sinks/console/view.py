"""What a person looks at: app, release, platform, country and days, all of it in the URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from urllib.parse import urlencode

from msgspec import Struct

from sinks.clickhouse.sql import NamedQuery, QueryError, load

FILTERS = ("app", "release", "platform", "country", "from", "to")
MAX_VALUE_LENGTH = 512
RANGES = (("Today", 1), ("7 days", 7), ("30 days", 30), ("90 days", 90))


class View(Struct, frozen=True):
    """The values of one page's URL; `app` is one that its reader may see."""

    values: Mapping[str, str]

    @property
    def app(self) -> str:
        return self.values.get("app", "")

    def url(self, path: str, **changes: str) -> str:
        """`path` with the same filters, and `changes`; empty ones are left out."""
        kept = {name: value for name, value in self.values.items() if name in FILTERS}
        said = {name: value for name, value in {**kept, **changes}.items() if value}
        return f"{path}?{urlencode(said)}" if said else path

    def params(self, query: NamedQuery) -> dict[str, str]:
        """What the query is asked; `app` is among it, and every query of the console takes one."""
        known = {one.name for one in query.params}
        return {name: value for name, value in self.values.items() if name in known and value}


def view_of(
    given: Sequence[tuple[str, str]], names: Sequence[str], app: str | None, today: date
) -> View:
    """The view that a URL asks for; other names than FILTERS and `names` are left alone.

    `app` is the only one that its reader may see, None: any. Raises QueryError.
    """
    values: dict[str, str] = {}
    for name, value in given:
        if name not in FILTERS and name not in names:
            continue
        if len(value) > MAX_VALUE_LENGTH:
            raise QueryError(f"{name} has more than {MAX_VALUE_LENGTH} characters")
        if name in values:
            raise QueryError(f"{name} is given twice")
        values[name] = value.strip()
    values.update(period_of(values, today))
    if app is not None:
        values["app"] = app
    return View(values)


def period_of(values: Mapping[str, str], today: date) -> dict[str, str]:
    """Both days of the period as a named query would take them. Raises QueryError."""
    asked = {name: values[name] for name in ("from", "to") if values.get(name)}
    checked = load("account").check(asked, today)
    return {"from": checked["from"], "to": checked["to"]}


def ranges(today: date) -> list[tuple[str, str, str]]:
    """Name, first day and last day of the periods that people ask for most."""
    return [
        (name, (today - timedelta(days=days - 1)).isoformat(), today.isoformat())
        for name, days in RANGES
    ]
