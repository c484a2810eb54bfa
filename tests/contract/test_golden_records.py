"""What lies in Kafka, byte for byte: other consumers read these records, and old ones stay.

Each file of `golden/` holds a POST, and the key and value of each record that came of it. A change
here is a change of the format: it must be one that readers of old and new records can live with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.contract.record import COLUMNS
from sinks.clickhouse.tables import EVENTS
from sinks.rows import read_event
from sinks.sink import Polled, Row
from tests.gateway_app import GatewayUnderTest

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
class TestGolden:
    def test_a_post_becomes_these_records(self, gateway: GatewayUnderTest, path: Path) -> None:
        golden = load(path)
        answer = gateway.post(golden["body"], golden["path"], **golden["headers"])

        assert answer.status_code == 200
        made = [
            {"key": one.key.decode(), "value": one.value.decode()}
            for one in gateway.publisher.of("app-events")
        ]
        assert made == golden["records"]

    def test_the_sink_reads_them_as_rows(self, path: Path) -> None:
        for number, record in enumerate(load(path)["records"]):
            value = record["value"].encode()
            row = read_event(Polled(number, record["key"].encode(), value, 0))

            assert isinstance(row, Row), row
            assert row.value == value

    def test_every_key_is_a_column_and_stands_once(self, path: Path) -> None:
        for record in load(path)["records"]:
            names = [name for name, _ in json.loads(record["value"], object_pairs_hook=list)]

            assert names[0] == "event_id"
            assert len(names) == len(set(names))
            assert set(names) <= set(COLUMNS)


def test_every_key_a_record_can_have_is_a_column_of_the_table() -> None:
    assert set(COLUMNS) <= set(EVENTS.columns)
