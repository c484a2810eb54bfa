"""The rows of the failure catalogue, in the order in which they run."""

from __future__ import annotations

from tests.faults.row import Row
from tests.faults.rows import gateway, kafka

ROWS: list[Row] = [*gateway.ROWS, *kafka.ROWS]
