"""Records of `app-events-dead` as rows of `dead_letters`. Whatever lies there becomes a row."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from gateway.contract.dead_letter import from_headers
from sinks.sink import Polled, Row

_NEVER = "1970-01-01T00:00:00.000Z"
_MAX_INT32 = 2**31 - 1


def read_dead_letter(record: Polled) -> Row:
    """A dead letter as a row; copies are not looked for: its place in the topic is its identity."""
    letter = from_headers(record.headers)
    value = record.value or b""
    fields: dict[str, object] = msgspec.structs.asdict(letter)
    fields["received_at"] = _instant(letter.received_at)
    for name in ("position", "origin_partition"):
        fields[name] = min(getattr(letter, name), _MAX_INT32)
    fields["original"] = value.decode("utf-8", "backslashreplace")
    fields["original_bytes"] = len(value)
    dead_at = datetime.fromtimestamp(max(0, record.timestamp_ms) / 1000, UTC)
    fields["dead_at"] = dead_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    own = msgspec.json.encode(fields)
    return Row(record.offset, own, None, (letter.app_id, max(0, record.timestamp_ms) // 3_600_000))


def _instant(text: str) -> str:
    try:
        instant = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return _NEVER
    return text if 1970 <= instant.year < 2149 else _NEVER
