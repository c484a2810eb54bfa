"""Mixpanel's usual item, in one typed pass; any other is read key by key, see `event`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH
from gateway.contract.verdict import Rejected
from gateway.protocols import times
from gateway.protocols.loose import without_nulls
from gateway.protocols.mixpanel.context import FLAGS, TEXTS
from gateway.protocols.mixpanel.event import take_id, typed
from gateway.protocols.mixpanel.fields import Who, check_count, event_of, take_who
from gateway.protocols.mixpanel.item import METADATA, Told
from gateway.protocols.reading import UNREADABLE, take
from gateway.protocols.repeated import Repeated, Unusual, shape_of

_Id = Annotated[str, Meta(min_length=1, max_length=MAX_FOREIGN_ID_LENGTH)]


class _Item(Struct, forbid_unknown_fields=True, gc=False):
    """A key that is not here, or a value of another type, fails the pass: nothing is lost."""

    event: Annotated[str, Meta(min_length=1)]
    properties: Raw
    metadata: dict[str, Raw] = field(default_factory=dict, name=METADATA)


class _Own(Struct, gc=False):
    """What differs between the items of a POST."""

    time: int | float
    insert_id: _Id | UnsetType = field(default=UNSET, name="$insert_id")


class _Sender(Struct, frozen=True, gc=False):
    token: str
    who: Who


_own = msgspec.json.Decoder(_Own)
_item = msgspec.json.Decoder(_Item)
_properties = msgspec.json.Decoder(dict[str, Raw])
_shape = shape_of(("token", *TEXTS), FLAGS)


class StrictReader:
    """Of the items of one POST to /track or /import."""

    __slots__ = ("_sender",)

    def __init__(self) -> None:
        self._sender = Repeated(_shape, _take_sender)

    def told_by(self, index: int, raw: Raw) -> Told | None:
        """None where it must be read key by key."""
        try:
            item = _item.decode(raw)
            own = _own.decode(item.properties)
            properties = _properties.decode(item.properties)
            check_count(properties)
            sender = self._sender.take(item.properties, properties)
            metadata = without_nulls(item.metadata) if item.metadata else item.metadata
            timestamp = times.parse(own.time)
            if timestamp is None:
                return None
            del properties["time"]
            if own.insert_id is not UNSET:
                event_id = own.insert_id
                del properties["$insert_id"]
            elif not (event_id := take_id(properties, metadata)):
                return None
            properties = without_nulls(properties)
            event = event_of(event_id, timestamp, sender.who, properties, metadata, {})
            return Told(index, sender.token, typed(event, item.event, properties))
        except (*UNREADABLE, Rejected, Unusual):
            return None


def _take_sender(properties: dict[str, Raw]) -> _Sender:
    token = take(properties, "token")
    if token is None:
        raise Unusual("no token")
    return _Sender(token, take_who(properties))
