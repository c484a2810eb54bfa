"""The contract as files for other teams: as the structs say, and never broken for a reader.

`released/` holds each version of the contract as it once was: its schema, and records as they may
still lie in Kafka. A version that is there is not changed any more: a new key is a new version.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from gateway.contract.asyncapi import ASYNCAPI_FILE, asyncapi
from gateway.contract.compatibility import breaks
from gateway.contract.record import COLUMNS
from gateway.contract.schema import (
    CONTRACT_VERSION,
    KEYS,
    RECORD_SCHEMA_FILE,
    as_text,
    record_schema,
)
from gateway.contract.topics import TOPICS
from sinks.rows import EventRow, read_event
from sinks.sink import Polled, Row
from tests.builders import make_record

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
RELEASED = sorted((Path(__file__).parent / "released").iterdir())
RENEW = "run: telemetry-gateway schema --into docs/schemas"


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def is_valid(record: dict[str, Any]) -> bool:
    return Draft202012Validator(record_schema(), validate_formats=True).is_valid(record)


@pytest.mark.parametrize(
    ("name", "document"), [(RECORD_SCHEMA_FILE, record_schema()), (ASYNCAPI_FILE, asyncapi())]
)
def test_the_file_is_as_the_structs_say(name: str, document: dict[str, Any]) -> None:
    assert (SCHEMAS / name).read_text(encoding="utf-8") == as_text(document), RENEW


def test_the_command_writes_both(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway", "schema", "--into", str(tmp_path / "new")]
    subprocess.run(command, check=True, timeout=60)

    written = {one.name: one.read_text(encoding="utf-8") for one in (tmp_path / "new").iterdir()}
    assert written == {name: (SCHEMAS / name).read_text(encoding="utf-8") for name in written}
    assert set(written) == {RECORD_SCHEMA_FILE, ASYNCAPI_FILE}


def test_every_key_has_a_meaning() -> None:
    assert set(KEYS) == set(COLUMNS)


def test_the_sink_needs_what_the_schema_requires() -> None:
    needed = [name for name in EventRow.__struct_fields__ if _is_required(name)]

    assert set(needed) == set(record_schema()["required"])


def _is_required(name: str) -> bool:
    without = make_record(**{name: None})
    return not isinstance(read_event(Polled(0, b"", json.dumps(without).encode(), 0)), Row)


@pytest.mark.parametrize("version", RELEASED, ids=lambda path: path.name)
class TestReleased:
    def test_its_schema_is_not_broken(self, version: Path) -> None:
        assert breaks(load(version / RECORD_SCHEMA_FILE), record_schema()) == []

    def test_its_records_still_validate(self, version: Path) -> None:
        records = [json.loads(one["value"]) for one in load(version / "records.json")]

        assert records
        assert [one for one in records if not is_valid(one)] == []

    def test_its_records_are_still_rows(self, version: Path) -> None:
        for number, one in enumerate(load(version / "records.json")):
            read = read_event(Polled(number, one["key"].encode(), one["value"].encode(), 0))

            assert isinstance(read, Row), read


def test_a_change_of_the_record_is_a_new_version() -> None:
    """Raise CONTRACT_VERSION, and put the schema and records of it into `released/`."""
    versions = {one.name: load(one / RECORD_SCHEMA_FILE) for one in RELEASED}

    assert set(versions[CONTRACT_VERSION]["properties"]) == set(record_schema()["properties"])


def test_a_key_with_a_default_may_be_added() -> None:
    new = deepcopy(record_schema())
    new["properties"]["battery_percent"] = {"type": "integer", "default": 0}

    assert breaks(record_schema(), new) == []


def test_words_may_change() -> None:
    new = deepcopy(record_schema())
    new["properties"]["ts"]["description"] = "when"

    assert breaks(record_schema(), new) == []


BREAKS = {
    "removed": {"country": None},
    "retyped": {"country": {"type": "integer", "default": ""}},
    "narrowed": {"country": {"type": "string", "maxLength": 2, "default": ""}},
    "another default": {"country": {"type": "string", "default": "ZZ"}},
    "another format": {"ts": {"type": "string"}},
    "without a default": {"battery_percent": {"type": "integer"}},
}


@pytest.mark.parametrize("change", BREAKS.values(), ids=list(BREAKS))
def test_a_breaking_change_of_a_key_is_refused(change: dict[str, Any]) -> None:
    new = deepcopy(record_schema())
    ((name, schema),) = change.items()
    new["properties"].pop(name, None)
    if schema is not None:
        new["properties"][name] = schema

    (said,) = breaks(record_schema(), new)
    assert said.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("required", "said"),
    [
        ([*record_schema()["required"], "country"], "country: made required"),
        (record_schema()["required"][1:], "event_id: no longer required"),
    ],
)
def test_what_is_required_stays(required: list[str], said: str) -> None:
    assert breaks(record_schema(), {**record_schema(), "required": required}) == [said]


def test_a_required_key_may_not_be_added() -> None:
    new = deepcopy(record_schema())
    new["properties"]["tenant"] = {"type": "string", "default": ""}
    new["required"].append("tenant")

    assert breaks(record_schema(), new) == ["tenant: added as required"]


def test_the_whole_stays_as_it_is() -> None:
    (said,) = breaks(record_schema(), {**record_schema(), "additionalProperties": True})

    assert said == "additionalProperties: was False, is True"


@pytest.mark.parametrize(
    "changes",
    [
        {"event_id": "not-a-uuid"},
        {"ts": "yesterday"},
        {"ts": None},  # missing
        {"sequence": -1},
        {"crash_fatal": "yes"},
        {"app": "a key that nobody writes"},
    ],
)
def test_what_is_no_record_does_not_validate(changes: dict[str, Any]) -> None:
    assert is_valid(make_record())
    assert not is_valid(make_record(**changes))


def test_the_document_has_every_topic_and_leads_nowhere_else() -> None:
    document = asyncapi()
    channels = document["channels"]

    assert set(channels) == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        assert channels[topic.name]["bindings"]["kafka"]["partitions"] == topic.partitions
    references = list(_references(document))
    assert references
    assert [one for one in references if not _leads_somewhere(one, document)] == []


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _leads_somewhere(reference: str, document: dict[str, Any]) -> bool:
    file, _, path = reference.partition("#")
    if file:
        return (SCHEMAS / file).is_file()
    node: Any = document
    for step in re.findall(r"[^/]+", path):
        node = node.get(step) if isinstance(node, dict) else None
    return node is not None
