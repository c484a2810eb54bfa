"""Amplitude's usual event, in one typed pass; any other is read key by key, see `event`.

Where it happened is compared with what the event before said, and read only where it differs.
"""

from __future__ import annotations

from operator import attrgetter
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
    finished,
    session_of,
    take_who,
)
from gateway.protocols.amplitude.names import COUNTED, TYPES
from gateway.protocols.loose import without_nulls
from gateway.protocols.reading import UNREADABLE, as_object
from gateway.protocols.repeated import Unusual

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
_said = attrgetter(*TEXTS)
_others = attrgetter(*_OTHERS)
_NO_OTHERS = (UNSET,) * len(_OTHERS)
_EMPTY = Raw(b"{}")


class StrictReader:
    """Of the events of one POST."""

    __slots__ = ("_beside", "_said", "_who")

    def __init__(self) -> None:
        self._said: object = None  # by the event before
        self._who: Who
        self._beside: dict[str, Raw] = {}  # what of it has no field

    def event_of(self, raw: Raw) -> Event | None:
        """None where it must be read key by key."""
        try:
            event = _whole.decode(raw)
            lower = event.event_type.lower()
            timestamp = times.parse(event.time)
            if timestamp is None or lower == COUNTED:
                return None
            if (said := _said(event)) != self._said:
                self._read_who(said, raw)
            event_type = TYPES.get(lower, "track")
            session_id = event.session_id
            return finished(
                event.insert_id,
                event.event_type,
                event_type,
                timestamp,
                "" if session_id is UNSET else session_of(session_id),
                event.event_id,
                self._who,
                *_properties(event, event_type, self._beside),
            )
        except (*UNREADABLE, Rejected, Unusual):
            return None

    def _read_who(self, said: tuple[object, ...], raw: Raw) -> None:
        """Raises Rejected."""
        keys = {name: one for name, one in as_object(raw).items() if name in TEXTS}
        keys = without_nulls(keys)
        self._said = None
        self._who = take_who(keys)
        self._said, self._beside = said, keys


def _properties(
    event: Any, event_type: str, beside: dict[str, Raw]
) -> tuple[dict[str, Raw], dict[str, Raw]]:
    """The event's properties, and its keys that have no field. Raises Rejected and Unusual."""
    others = beside
    if (given := _others(event)) != _NO_OTHERS:
        found = zip(_OTHERS, given, strict=True)
        others = without_nulls({**beside, **{k: raw for k, raw in found if raw is not UNSET}})
    properties = {} if event.event_properties is UNSET else event.event_properties
    of_user = event.user_properties
    if event_type == "identify":
        if properties:
            raise Unusual("an identify with properties of an event")
        properties = {} if of_user is UNSET else as_object(of_user)
    if of_user is not UNSET and not (event_type == "identify" and properties):
        others = without_nulls({**others, "user_properties": of_user})
        if of_user == _EMPTY:
            del others["user_properties"]
    check_count("properties", properties)
    return properties, others
