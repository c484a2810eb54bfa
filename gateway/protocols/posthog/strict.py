"""PostHog's usual event, in one typed pass; any other is read key by key, see `event`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, Event
from gateway.contract.verdict import Rejected
from gateway.protocols import times
from gateway.protocols.posthog.context import FLAGS, TEXTS
from gateway.protocols.posthog.event import Sent, finished, named
from gateway.protocols.posthog.names import COUNTED
from gateway.protocols.posthog.who import take_who
from gateway.protocols.reading import UNREADABLE
from gateway.protocols.repeated import Repeated, Unusual, shape_of

_Id = Annotated[str, Meta(min_length=1, max_length=MAX_FOREIGN_ID_LENGTH)]


class _Item(Struct, forbid_unknown_fields=True, gc=False):
    """A key that is not here, or a value of another type, fails the pass: nothing is lost."""

    event: Annotated[str, Meta(min_length=1)]
    uuid: _Id
    distinct_id: _Id
    timestamp: datetime
    properties: Raw
    session_id: str = ""
    library: str = ""
    library_version: str = ""
    type: Raw = Raw()  # steers the vendor's machinery


_item = msgspec.json.Decoder(_Item)
_shape = shape_of(TEXTS, FLAGS)


class StrictReader:
    """Of the events of one POST."""

    __slots__ = ("_library", "_who")

    def __init__(self, sent: Sent) -> None:
        self._who = Repeated(_shape, take_who)
        self._library = sent.library

    def event_of(self, raw: Raw) -> Event | None:
        """None where it must be read key by key."""
        try:
            item = _item.decode(raw)
            if item.event.lower() in COUNTED:
                return None
            who, properties = self._who.take(
                item.properties, item.distinct_id, item.session_id,
                item.library, item.library_version, self._library,
            )  # fmt: skip
            name = named(item.event, properties)
            timestamp = times.utc(item.timestamp)
            return finished(item.uuid, name, timestamp, who, properties)
        except (*UNREADABLE, Rejected, Unusual, OverflowError):
            return None
