"""A dashboard: its panels, laid out in rows, and the variables that its reader chooses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from infra.grafana.panel import CLICKHOUSE, Panel

WIDTH = 24  # of Grafana's grid
SCHEMA_VERSION = 39  # of a dashboard's JSON; newer Grafanas read it


class Choice(Struct, frozen=True, kw_only=True):
    """A variable. With `sql` its values come from ClickHouse, else a text is typed in."""

    name: str
    label: str
    default: str = ""
    sql: str = ""

    def as_json(self) -> dict[str, Any]:
        shared: dict[str, Any] = {"name": self.name, "label": self.label}
        if not self.sql:
            current = {"text": self.default, "value": self.default}
            return {**shared, "type": "textbox", "query": self.default, "current": current}
        return {
            **shared,
            "type": "query",
            "datasource": CLICKHOUSE,
            "query": self.sql,
            "refresh": 2,  # whenever the time range changes
            "sort": 1,
        }


class Board(Struct, frozen=True, kw_only=True):
    """Of `choices` it shows those that its panels ask for."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    choices: tuple[Choice, ...] = ()
    days: str = "now-30d"

    def as_json(self) -> dict[str, Any]:
        used = {name for panel in self.panels for name in panel.variables()}
        return {
            "uid": f"telemetry-{self.name}",
            "title": self.title,
            "tags": ["telemetry"],
            "schemaVersion": SCHEMA_VERSION,
            "timezone": "utc",
            "editable": False,
            "time": {"from": self.days, "to": "now"},
            "refresh": "1m",
            "templating": {"list": [one.as_json() for one in self.choices if one.name in used]},
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[dict[str, Any]]:
        """Panels from left to right; one that does not fit begins a row."""
        left = top = tallest = 0
        for number, panel in enumerate(self.panels, start=1):
            if left + panel.width > WIDTH:
                left, top, tallest = 0, top + tallest, 0
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            yield {"id": number, "gridPos": place, **panel.as_json()}
            left += panel.width
            tallest = max(tallest, panel.height)
