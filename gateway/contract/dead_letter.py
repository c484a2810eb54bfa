"""A dead letter: an event nobody will store, as it lies in `app-events-dead`.

The record's value is what came, as it came; the headers say from where and why. The gateway
writes what it rejected at the door, a sink what it could never store.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

MAX_DOOR_ORIGINAL_BYTES = 8 * 1024  # of an event rejected at the door
MAX_TEXT_LENGTH = 500  # characters of `text`

Headers = list[tuple[str, bytes]]


class DeadLetter(Struct, frozen=True, kw_only=True, gc=False):
    """Where a dead letter comes from and why it is one. Its identity is its origin:
    (origin_topic, origin_partition, origin_offset) for a sink's, the request and position
    for the gateway's.
    """

    source: str  # gateway | sink
    code: str
    text: str
    app_id: str = ""
    protocol: str = ""
    app_version: str = ""
    device_id: str = ""
    event_id: str = ""
    request_id: str = ""
    received_at: str = ""  # RFC 3339, when the POST arrived
    position: int = -1  # in the POST
    origin_topic: str = ""
    origin_partition: int = -1
    origin_offset: int = -1

    def to_headers(self) -> Headers:
        """Kafka record headers, empty fields left out."""
        pairs = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return [
            (name, str(value)[:MAX_TEXT_LENGTH].encode())
            for name, value in pairs
            if value not in ("", -1)
        ]


_NUMBERS = {"position", "origin_partition", "origin_offset"}


def from_headers(headers: Iterable[tuple[str, bytes]]) -> DeadLetter:
    """Read the headers back. Foreign or broken ones give a letter of source "unknown"."""
    values: dict[str, str | int] = {"source": "unknown", "code": "unknown", "text": ""}
    for name, raw in headers:
        if name not in DeadLetter.__struct_fields__:
            continue
        text = raw.decode("utf-8", "replace")
        if name not in _NUMBERS:
            values[name] = text
        elif text.isascii() and text.isdigit() and len(text) < 19:
            values[name] = int(text)
    return DeadLetter(**values)  # type: ignore[arg-type]  # names and kinds are checked above
