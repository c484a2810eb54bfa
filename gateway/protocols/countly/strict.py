"""The usual member of `events`, in one typed pass; any other is read key by key, see `action`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from gateway.contract.event import (
    MAX_FOREIGN_ID_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PROPERTIES,
    Context,
    Event,
)
from gateway.protocols import times
from gateway.protocols.loose import without_nulls
from gateway.protocols.reading import UNREADABLE

VIEW = "[CLY]_view"

_NULL = Raw(b"null")


class _Member(Struct, forbid_unknown_fields=True, gc=False):
    """A key that is not here, or a value of another type, fails the pass: nothing is lost."""

    key: Annotated[str, Meta(min_length=1, max_length=MAX_NAME_LENGTH)]
    id: Annotated[str, Meta(min_length=1, max_length=MAX_FOREIGN_ID_LENGTH)]
    timestamp: int
    count: Raw | UnsetType = UNSET
    dur: Raw | UnsetType = UNSET
    sum: Raw | UnsetType = UNSET
    segmentation: dict[str, Raw] | UnsetType = UNSET
    hour: Raw = Raw()  # told by the time
    dow: Raw = Raw()


_member = msgspec.json.Decoder(_Member)


def event_of(raw: Raw, context: Context) -> Event | None:
    """None where it must be read key by key."""
    try:
        member = _member.decode(raw)
    except UNREADABLE:
        return None
    timestamp = times.parse(member.timestamp)
    if timestamp is None or member.key == VIEW:
        return None
    properties: dict[str, Raw] = {}
    if member.segmentation is not UNSET:
        properties = without_nulls(member.segmentation)
        if not properties:  # how it was written tells whether it is kept
            return None
    for name, value in (("count", member.count), ("dur", member.dur), ("sum", member.sum)):
        if value is not UNSET and value != _NULL:
            properties[f"$event.{name}"] = value
    if len(properties) > MAX_PROPERTIES:
        return None
    return Event(
        event_id=member.id,
        type="track",
        timestamp=timestamp,
        name=member.key,
        properties=properties,
        context=context,
    )
