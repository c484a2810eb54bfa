"""The rows of the failure catalogue, in the order in which they run."""

from __future__ import annotations

from tests.faults.row import Row
from tests.faults.rows import broker_answers, clickhouse, edge, fuzz, gateway, kafka, load, sink

ROWS: list[Row] = [
    *gateway.ROWS,
    *kafka.ROWS,
    *broker_answers.ROWS,
    *sink.ROWS,
    *clickhouse.ROWS,
    *edge.ROWS,
    *fuzz.ROWS,
    *load.ROWS,
]
