"""The rows of the failure catalogue, in the order in which they run: what matters most comes
first, since a run may be cut short."""

from __future__ import annotations

from tests.faults.row import Row
from tests.faults.rows import (
    broker_answers,
    clickhouse,
    edge,
    fuzz,
    gateway,
    kafka,
    load,
    sink,
    spool,
    workers,
)

ORDER = (
    1, 13, 4, 2, 5, 12, 14, 15, 16, 19, 24, 26, 10, 11, 30, 31, 32, 33, 28, 29, 17, 18, 6, 7, 8,
    20, 21, 45,
)  # fmt: skip
_FAMILIES = (
    gateway, kafka, sink, clickhouse, workers, spool, edge, fuzz, broker_answers, load,
)  # fmt: skip

ROWS: list[Row] = sorted(
    (row for family in _FAMILIES for row in family.ROWS), key=lambda row: ORDER.index(row.number)
)
