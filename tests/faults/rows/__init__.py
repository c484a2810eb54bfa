"""The rows of the failure catalogue, in the order in which they run."""

from __future__ import annotations

from tests.faults.row import Row
from tests.faults.rows import clickhouse, edge, gateway, kafka, sink

ROWS: list[Row] = [*gateway.ROWS, *sink.ROWS, *clickhouse.ROWS, *kafka.ROWS, *edge.ROWS]
