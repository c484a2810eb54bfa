"""The grants of each process as statements. They are made by an operator, who keeps passwords."""

from __future__ import annotations

from importlib.resources import files

from sinks.clickhouse.schema_files import statements

FILE = "grants.sql"


def grants_sql() -> str:
    """Roles and their grants, each statement on a line of its own."""
    return (files("sinks.clickhouse") / FILE).read_text(encoding="utf-8")


def grants() -> list[str]:
    return statements(grants_sql())
