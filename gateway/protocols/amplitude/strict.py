"""Amplitude's usual event, in one typed pass; any other is read key by key, see `event`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, MAX_SEQUENCE, Event
from gateway.contract.verdict import Rejected
from gateway.protocols import times
from gateway.protocols.amplitude.context import TEXTS
from gateway.protocols.amplitude.event import (
    check_count,
    finished,
    session_of,
    take_properties,
    take_who,
)
from gateway.protocols.amplitude.names import COUNTED, TYPES
from gateway.protocols.loose import without_nulls
from gateway.protocols.reading import UNREADABLE
from gateway.protocols.repeated import Repeated, Unusual, shape_of

_Id = Annotated[str, Meta(min_length=1, max_length=MAX_FOREIGN_ID_LENGTH)]
_Count = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]


class _Own(Struct, gc=False):
    """What differs between the events of a POST. Other keys are read by name."""

    event_type: Annotated[str, Meta(min_length=1)]
    insert_id: _Id
    time: int
    event_id: _Count | UnsetType = UNSET
    session_id: int | UnsetType = UNSET
    event_properties: dict[str, Raw] | UnsetType = UNSET


_own = msgspec.json.Decoder(_Own)
_keys = msgspec.json.Decoder(dict[str, Raw])
_shape = shape_of(TEXTS)


class StrictReader:
    """Of the events of one POST."""

    __slots__ = ("_who",)

    def __init__(self) -> None:
        self._who = Repeated(_shape, take_who)

    def event_of(self, raw: Raw) -> Event | None:
        """None where it must be read key by key."""
        try:
            own, keys = _own.decode(raw), _keys.decode(raw)
            lower = own.event_type.lower()
            if "sequence_number" in keys or lower == COUNTED:
                return None
            timestamp = times.parse(own.time)
            if timestamp is None:
                return None
            del keys["event_type"], keys["insert_id"], keys["time"]
            who = self._who.take(raw, keys)
            event_type = TYPES.get(lower, "track")
            return finished(
                own.insert_id,
                own.event_type,
                event_type,
                timestamp,
                _take_session(own, keys),
                _take_sequence(own, keys),
                who,
                _take_properties(own, keys, event_type),
                without_nulls(keys),
            )
        except (*UNREADABLE, Rejected, Unusual):
            return None


def _take_session(own: _Own, keys: dict[str, Raw]) -> str:
    if own.session_id is UNSET:
        return ""
    del keys["session_id"]
    return session_of(own.session_id)


def _take_sequence(own: _Own, keys: dict[str, Raw]) -> int | None:
    if own.event_id is UNSET:
        return None
    del keys["event_id"]
    return own.event_id


def _take_properties(own: _Own, keys: dict[str, Raw], event_type: str) -> dict[str, Raw]:
    if event_type == "identify" or "user_properties" in keys:
        return take_properties(keys, event_type)
    if own.event_properties is UNSET:
        return {}
    del keys["event_properties"]
    check_count("event_properties", own.event_properties)
    return own.event_properties
