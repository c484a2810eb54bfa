"""A panel: one named query, or some expressions of Prometheus, and how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from sinks.clickhouse.sql import NamedQuery, load

CLICKHOUSE = {"type": "grafana-clickhouse-datasource", "uid": "telemetry-clickhouse"}
PROMETHEUS = {"type": "prometheus", "uid": "telemetry-prometheus"}
# What stands in a panel for a parameter of this name. Grafana's own time range is the period.
_PERIOD = {"from": "toDate($__fromTime, 'UTC')", "to": "toDate($__toTime, 'UTC')"}
_AS_TABLE = 1  # of the plugin's formats: columns as they are


class Asked(Struct, frozen=True, kw_only=True):
    """A panel that shows the answer of a named query."""

    query: str
    kind: str = "table"  # of Grafana's visualisations
    hidden: tuple[str, ...] = ()  # columns that this panel leaves out
    values: Mapping[str, str] = {}  # parameters that are no variable of the dashboard
    height: int = 9
    width: int = 12
    links: Mapping[str, str] = {}  # by column: where a click on its value leads
    unit: str = ""

    def variables(self) -> set[str]:
        """What the dashboard's reader chooses."""
        given = {*_PERIOD, *self.values}
        return {param.name for param in load(self.query).params} - given

    def as_json(self) -> dict[str, Any]:
        query = load(self.query)
        target = {
            "refId": "A",
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "queryType": "table",
            "format": _AS_TABLE,
            "rawSql": sql_of(query, self.values),
        }
        left_out = {"excludeByName": dict.fromkeys(self.hidden, True)}
        return {
            "title": query.title,
            "description": query.meaning,
            "type": self.kind,
            "datasource": CLICKHOUSE,
            "targets": [target],
            "transformations": [{"id": "organize", "options": left_out}] if self.hidden else [],
            "fieldConfig": {
                "defaults": {"unit": self.unit} if self.unit else {},
                "overrides": [_link(column, url) for column, url in self.links.items()],
            },
        }


def sql_of(query: NamedQuery, values: Mapping[str, str]) -> str:
    """The query's SQL with Grafana's variables in the place of its parameters."""
    text = query.sql
    for param in query.params:
        if param.name in values:
            put = values[param.name]
        elif param.name in _PERIOD:
            put = _PERIOD[param.name]
        elif param.type == "String":
            put = f"${{{param.name}:sqlstring}}"
        else:
            put = f"${{{param.name}}}"
        text = text.replace(f"{{{param.name}:{param.type}}}", put)
    return text


def _link(column: str, url: str) -> dict[str, Any]:
    link = {"title": "show this one", "url": url}
    return {
        "matcher": {"id": "byName", "options": column},
        "properties": [{"id": "links", "value": [link]}],
    }


class Measured(Struct, frozen=True, kw_only=True):
    """A panel that shows metrics over time; `series` are expressions by their legend."""

    title: str
    series: Mapping[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    height: int = 7
    width: int = 8

    def variables(self) -> set[str]:
        return set()

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "type": self.kind,
            "datasource": PROMETHEUS,
            "targets": [
                {
                    "refId": chr(ord("A") + number),
                    "datasource": PROMETHEUS,
                    "expr": expression,
                    "legendFormat": legend,
                }
                for number, (legend, expression) in enumerate(self.series.items())
            ],
            "fieldConfig": {"defaults": {"unit": self.unit, "min": 0}, "overrides": []},
        }


Panel = Asked | Measured
