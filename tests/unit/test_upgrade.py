"""What another version of the programs has left behind: what is read, and what is refused whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.contract.record import Run
from gateway.edge.keys import KEY_FILE, KeyStore
from gateway.publish.spool import entry
from sinks.clickhouse.schema_files import SchemaError, migrations, missing
from sinks.console.tokens import TokenStore
from sinks.intent import parse_metadata
from sinks.rows import read_event
from sinks.sink import Bad, BadCode, Polled, Row

RELEASED = sorted((Path(__file__).parents[1] / "contract" / "released").glob("*/records.json"))
SPOOLED = bytes.fromhex(  # as version 0.1.0 wrote it
    "f553504c06e166da000000170000019aa205d1e09193c40164c4077b2261223a317d9192a27470c4023030"
)
LATER = {"a_field_of_a_later_version": 1}


def released(path: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.parent.name)
def test_records_of_every_version_are_rows(path: Path) -> None:
    """A sink is brought up to date first, and reads what older gateways wrote."""
    records = released(path)

    assert records
    for one in records:
        polled = Polled(0, one["key"].encode(), one["value"].encode(), 0)
        assert isinstance(read_event(polled), Row)


def test_a_record_of_a_later_gateway_is_put_aside_and_not_cut() -> None:
    """So gateways are brought up to date last, and back first; replayed later, nothing is lost."""
    record = json.loads(released(RELEASED[-1])[0]["value"])
    value = json.dumps({**record, **LATER}).encode()

    found = read_event(Polled(0, b"device-1", value, 0))

    assert isinstance(found, Bad)
    assert found.code is BadCode.INVALID_RECORD
    assert "a_field_of_a_later_version" in found.text


def test_a_spool_of_an_earlier_version_is_read() -> None:
    (found,), end = entry.scan(SPOOLED)

    assert end == len(SPOOLED)
    assert found.body is not None
    assert found.arrived_ms == 1_763_654_881_760
    assert entry.decode("app-events", found.body) == [
        Run("app-events", b"d", [b'{"a":1}'], [("tp", b"00")])
    ]


def test_a_key_file_of_a_later_version_is_read(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    store.add("shop", "a-key", "2026-11-24T00:00:00Z")
    with_later_fields(tmp_path / KEY_FILE, "keys")

    assert [one.app for one in store.load()] == ["shop"]


def test_a_token_file_of_a_later_version_is_read(tmp_path: Path) -> None:
    store = TokenStore(tmp_path / "tokens.json")
    store.add("shop", "2026-11-24T00:00:00Z")
    with_later_fields(store.path, "tokens")

    assert [one.app for one in store.load()] == ["shop"]


def with_later_fields(path: Path, name: str) -> None:
    file = json.loads(path.read_text())
    path.write_text(json.dumps({name: [{**one, **LATER} for one in file[name]], **LATER}))


def test_an_intent_of_another_version_is_left_to_the_ledger() -> None:
    found = parse_metadata(7, '{"v":2,"end":9}')

    assert (found.offset, found.end, found.is_ours) == (7, None, False)


def test_tables_of_a_later_version_are_not_touched() -> None:
    known = migrations()
    applied = {one.name: one.sha256 for one in known} | {"9999_later.sql": "0" * 64}

    with pytest.raises(SchemaError, match=r"9999_later\.sql, which this version does not know"):
        missing(known, applied)
