"""One member of a POST, its objects opened; and why it may not be taken."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw, Struct

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, Event
from gateway.contract.verdict import Code, Rejected, Rejection
from gateway.protocols import reading
from gateway.protocols.loose import without_nulls

METADATA = "$mp_metadata"


class Item(Struct, frozen=True, gc=False):
    """`properties` are those of an event; a profile has none, its keys are its properties."""

    index: int
    raw: Raw
    keys: dict[str, Raw]
    properties: dict[str, Raw]
    metadata: dict[str, Raw]
    request_id: str  # of whoever stands before the gateway; empty: nobody gave one

    @property
    def token(self) -> str:
        """The write key it carries; empty where it has none."""
        return reading.as_text(self.properties.get("token") or self.keys.get("$token"))

    def metadata_text(self, name: str) -> str:
        return reading.as_text(self.metadata.get(name))


class Told(Struct, frozen=True, gc=False):
    """What became of one member: its events, or why there are none."""

    index: int
    token: str  # empty where it names none
    events: Sequence[Event | Rejection]


def item_of(index: int, raw: Raw, request_id: str) -> Item:
    keys = without_nulls(reading.as_object(raw))
    properties = without_nulls(reading.as_object(keys.get("properties")))
    metadata = without_nulls(reading.as_object(keys.get(METADATA)))
    return Item(index, raw, keys, properties, metadata, request_id)


def checked(name: str, text: str | None) -> str:
    """An id within its limit. Raises Rejected."""
    if text and len(text) > MAX_FOREIGN_ID_LENGTH:
        raise Rejected(Code.ID_TOO_LONG, f"`{name}` is longer than {MAX_FOREIGN_ID_LENGTH}")
    return text or ""
