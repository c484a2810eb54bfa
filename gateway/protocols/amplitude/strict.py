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
    finished,
    session_of,
    take_properties,
    take_who,
    type_of,
)
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
            if b"null" in bytes(raw):
                keys = without_nulls(keys)
            if "sequence_number" in keys:
                return None
            del keys["event_type"], keys["insert_id"], keys["time"]
            who = self._who.take(raw, keys)
            sequence = None if own.event_id is UNSET else own.event_id
            if sequence is not None:
                del keys["event_id"]
            session = ""
            if own.session_id is not UNSET:
                del keys["session_id"]
                session = session_of(own.session_id)
            event_type = type_of(own.event_type)
            properties = take_properties(keys, event_type)
            timestamp = times.parse(own.time)
            if timestamp is None:
                return None
            return finished(
                own.insert_id, own.event_type, event_type, timestamp, session, sequence, who,
                properties, keys,
            )  # fmt: skip
        except (*UNREADABLE, Rejected, Unusual):
            return None
