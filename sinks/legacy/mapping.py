"""What a row of another system means: columns in, a native event out, by rules from a TOML file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta, Struct

from gateway.contract.event import EVENT_TYPES, Instant
from gateway.runtime import ConfigError
from sinks.sink import BadCode

TOPIC_PREFIX = "legacy."
NAMESPACE = UUID("6f1f9f0e-6a55-5d0c-9d55-0d6f2f6f8a11")  # for good: event ids are made of it

Row = dict[str, Any]
Place = Annotated[
    str,
    Meta(pattern=r"^((app|os|device|network|library)\.[a-z]+|locale|timezone|country)$"),
]


class Mapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table `[name]` of the file: rows of the topic `legacy.<name>`. Values name columns."""

    device_id: str
    timestamp: str
    type_column: str
    types: dict[str, str]  # what stands in that column → event type
    id_columns: Annotated[list[str], Meta(min_length=1)]  # what tells a row from any other
    timestamp_format: Literal["rfc3339", "unix", "unix_ms"] = "rfc3339"
    session_id: str = ""
    user_id: str = ""
    sequence: str = ""
    context: dict[Place, str] = {}  # "app.version" and the like → column
    properties: dict[str, str] = {}  # property → column


class Unmappable(Exception):
    """A row that can never be an event. The text names the column."""

    def __init__(self, code: BadCode, text: str) -> None:
        super().__init__(text)
        self.code = code


def load_mappings(file: Path) -> dict[str, Mapping]:
    """Topic → mapping. Raises ConfigError."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        found = msgspec.convert(tables, dict[str, Mapping])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{file}: {error}") from None
    if not found:
        raise ConfigError(f"{file}: no table [name] says what rows of {TOPIC_PREFIX}name mean")
    for name, mapping in found.items():
        for value, event_type in mapping.types.items():
            if event_type not in EVENT_TYPES:
                raise ConfigError(f"{file}: {name}.types.{value}: {event_type} is no event type")
    return {f"{TOPIC_PREFIX}{name}": mapping for name, mapping in found.items()}


def event_of(mapping: Mapping, topic: str, value: bytes | None) -> dict[str, Any]:
    """The row as a native event. The same row is the same event id, however often it is read.

    Raises Unmappable.
    """
    row = _row(value)
    kind = _text(row, mapping.type_column)
    if kind not in mapping.types:
        raise Unmappable(BadCode.INVALID_RECORD, f"{mapping.type_column}: {kind} is no known type")
    identity = [topic, *(_text(row, name) for name in mapping.id_columns)]
    context: dict[str, Any] = {"device": {"id": _text(row, mapping.device_id)}}
    for path, column in mapping.context.items():
        _put(context, path, _optional(row, column, str))
    event = {
        "event_id": str(uuid5(NAMESPACE, json.dumps(identity))),
        "type": mapping.types[kind],
        "timestamp": _instant(row, mapping),
        "session_id": _optional(row, mapping.session_id, str),
        "user_id": _optional(row, mapping.user_id, str),
        "sequence": _optional(row, mapping.sequence, int),
        "properties": {
            name: row[column] for name, column in mapping.properties.items() if column in row
        },
        "context": context,
    }
    return {name: value for name, value in event.items() if value is not None}


def _row(value: bytes | None) -> Row:
    try:
        return msgspec.json.decode(value or b"", type=Row)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unmappable(BadCode.INVALID_JSON, f"the row is no JSON object: {error}") from None


def _text(row: Row, column: str) -> str:
    value = row.get(column)
    if value is None or value == "" or isinstance(value, (dict, list)):
        raise Unmappable(BadCode.INVALID_RECORD, f"{column}: missing, empty or not plain")
    return str(value)


def _optional(row: Row, column: str, make: Callable[[str], Any]) -> Any:
    if not column or row.get(column) is None:
        return None
    text = _text(row, column)
    try:
        return make(text)
    except ValueError:
        raise Unmappable(BadCode.INVALID_RECORD, f"{column}: {text[:100]} is no number") from None


def _instant(row: Row, mapping: Mapping) -> str:
    text = _text(row, mapping.timestamp)
    try:
        if mapping.timestamp_format == "rfc3339":
            return msgspec.convert(text, Instant).isoformat()
        scale = 1000 if mapping.timestamp_format == "unix_ms" else 1
        return datetime.fromtimestamp(float(text) / scale, UTC).isoformat()
    except (msgspec.ValidationError, ValueError, OverflowError, OSError):
        said = f"{mapping.timestamp}: {text[:100]} is no time as {mapping.timestamp_format}"
        raise Unmappable(BadCode.INVALID_TIME, said) from None


def _put(context: dict[str, Any], path: str, value: object) -> None:
    if value is None:
        return
    *groups, name = path.split(".")
    for group in groups:
        context = context.setdefault(group, {})
    context[name] = value
