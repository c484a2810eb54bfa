"""Amplitude's usual event, in one typed pass; any other is read key by key, see `event`.

All but what is an event's own is compared with what the event before said, and read only where it
differs.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, MAX_SEQUENCE, Event
from gateway.contract.verdict import Rejected
from gateway.protocols import times
from gateway.protocols.amplitude.context import TEXTS
from gateway.protocols.amplitude.event import (
    Who,
    check_count,
    extras_of,
    finished,
    session_of,
    take_who,
)
from gateway.protocols.amplitude.names import COUNTED, TYPES
from gateway.protocols.loose import without_nulls
from gateway.protocols.reading import UNREADABLE, as_object

# Keys that its SDKs write and that have no field: they become properties. One that is not here
# fails the pass: nothing is lost.
_OTHERS = (
    "adid", "android_id", "app_set_id", "city", "currency", "device_brand", "dma", "extra",
    "global_user_properties", "group_properties", "groups", "idfa", "idfv", "ingestion_metadata",
    "location_lat", "location_lng", "partner_id", "plan", "platform", "price", "productId",
    "quantity", "region", "revenue", "revenueType", "timezone", "user_agent", "version",
)  # fmt: skip
_Id = Annotated[str, Meta(min_length=1, max_length=MAX_FOREIGN_ID_LENGTH)]
_Count = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]


class _Own(Struct, gc=False):
    """What differs between the events of a POST."""

    event_type: Annotated[str, Meta(min_length=1)]
    insert_id: _Id
    time: int
    event_id: _Count | None = None
    session_id: int | UnsetType = UNSET
    event_properties: dict[str, Raw] | UnsetType = UNSET
    user_properties: Raw | UnsetType = UNSET


_whole: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    msgspec.defstruct(
        "Whole",
        [
            *[(name, str | int | None | UnsetType, UNSET) for name in TEXTS],
            *[(name, Raw | UnsetType, UNSET) for name in _OTHERS],
        ],
        bases=(_Own,),
        forbid_unknown_fields=True,
        gc=False,
    )
)
_EMPTY = (Raw(b"{}"), Raw(b"null"))
_REPEATED = frozenset((*TEXTS, *_OTHERS))


class StrictReader:
    """Of the events of one POST."""

    __slots__ = ("_before", "_beside", "_extras", "_who")

    def __init__(self) -> None:
        self._before: object = None  # what the event before said, without its own
        self._who: Who
        self._beside: dict[str, Raw] = {}  # what of it has no field
        self._extras: dict[str, Raw] = {}  # the same as properties

    def event_of(self, raw: Raw) -> Event | None:
        """None where it must be read key by key."""
        try:
            event = _whole.decode(raw)
            name, event_id, sequence = event.event_type, event.insert_id, event.event_id
            session_id, own, of_user = (
                event.session_id, event.event_properties, event.user_properties,
            )  # fmt: skip
            timestamp = times.parse(event.time)
            lower = name.lower()
            if timestamp is None or lower == COUNTED:
                return None
            event.event_type = event.insert_id = ""
            event.time, event.event_id = 0, None
            event.session_id = event.event_properties = event.user_properties = UNSET
            if event != self._before:
                self._read_repeated(event, raw)
            event_type = TYPES.get(lower, "track")
            properties = {} if own is UNSET else own
            if event_type == "identify":
                if properties:
                    return None
                properties = {} if of_user is UNSET else as_object(of_user)
                of_user = UNSET if properties else of_user
            extras = self._extras
            if of_user is not UNSET and of_user not in _EMPTY:
                extras = extras_of({**self._beside, "user_properties": of_user})
            check_count("properties", properties)
            return finished(
                event_id,
                name,
                event_type,
                timestamp,
                "" if session_id is UNSET else session_of(session_id),
                sequence,
                self._who,
                properties,
                extras,
            )
        except (*UNREADABLE, Rejected):
            return None

    def _read_repeated(self, event: object, raw: Raw) -> None:
        """Raises Rejected."""
        self._before = None
        keys = {name: one for name, one in as_object(raw).items() if name in _REPEATED}
        keys = without_nulls(keys)
        self._who = take_who(keys)
        self._before, self._beside, self._extras = event, keys, extras_of(keys)
