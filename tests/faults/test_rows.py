"""The short form of the fault suite: rows that no other test has, at a small part of their volume.

`make test-faults` runs all of them in full.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.faults.judge import run_row
from tests.faults.rig import Engines
from tests.faults.row import Row
from tests.faults.rows import ROWS

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    logging.disable(logging.CRITICAL)  # clients that look for brokers we have killed
    made = Engines(tmp_path_factory.mktemp("engines"))
    yield made
    made.close()
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.title) for row in ROWS if row.short is not None]
)
def test_row(engines: Engines, row: Row) -> None:
    assert row.short is not None
    result = run_row(engines, row, row.variants()[0], row.short, lambda _: None)

    assert result.complaints == [], result.note
