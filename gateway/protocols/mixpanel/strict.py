"""Mixpanel's usual item, in one typed pass; any other is read key by key, see `event`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct, field

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, MAX_PROPERTIES
from gateway.contract.verdict import Rejected
from gateway.protocols import times
from gateway.protocols.loose import without_nulls
from gateway.protocols.mixpanel.context import FLAGS, TEXTS
from gateway.protocols.mixpanel.event import take_id, typed
from gateway.protocols.mixpanel.fields import Who, event_of, take_who
from gateway.protocols.mixpanel.item import METADATA, Told
from gateway.protocols.reading import UNREADABLE, take
from gateway.protocols.repeated import Repeated, Unusual, shape_of

_Id = Annotated[str, Meta(min_length=1, max_length=MAX_FOREIGN_ID_LENGTH)]


class _Item(Struct, forbid_unknown_fields=True, gc=False):
    """A key that is not here, or a value of another type, fails the pass: nothing is lost."""

    event: Annotated[str, Meta(min_length=1)]
    properties: Raw
    metadata: dict[str, Raw] = field(default_factory=dict, name=METADATA)


class _Sender(Struct, frozen=True, gc=False):
    token: str
    who: Who


_item = msgspec.json.Decoder(_Item)
_id = msgspec.json.Decoder(_Id)
_time = msgspec.json.Decoder(int | float)
_shape = shape_of(("token", *TEXTS), FLAGS)
_MAX_LEFT = MAX_PROPERTIES - len(_shape.names)  # beside those that the shape may have taken


class StrictReader:
    """Of the items of one POST to /track or /import."""

    __slots__ = ("_sender",)

    def __init__(self) -> None:
        self._sender = Repeated(_shape, _take_sender)

    def told_by(self, index: int, raw: Raw) -> Told | None:
        """None where it must be read key by key."""
        try:
            item = _item.decode(raw)
            sender, properties = self._sender.take(item.properties)
            if len(properties) > _MAX_LEFT or "time" not in properties:
                return None
            metadata = without_nulls(item.metadata) if item.metadata else item.metadata
            timestamp = times.parse(_time.decode(properties.pop("time")))
            if timestamp is None:
                return None
            if "$insert_id" in properties:
                event_id = _id.decode(properties.pop("$insert_id"))
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
