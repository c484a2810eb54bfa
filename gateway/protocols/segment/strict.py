"""The usual Segment call, in one typed pass; any other is read key by key, see `message`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, MAX_PROPERTIES, Event
from gateway.contract.verdict import Rejected
from gateway.protocols import times
from gateway.protocols.reading import UNREADABLE
from gateway.protocols.segment.message import crash_of, name_of, where_of

_Properties = Annotated[dict[str, Raw], Meta(max_length=MAX_PROPERTIES)]


class _Call(Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    """A key that is not here, or a value of another type, fails the pass: nothing is lost."""

    message_id: Annotated[str, Meta(min_length=1, max_length=MAX_FOREIGN_ID_LENGTH)]
    timestamp: datetime
    original_timestamp: datetime | UnsetType = UNSET
    type: str = ""
    event: str = ""
    name: str = ""
    anonymous_id: str | None = None
    user_id: Annotated[str, Meta(max_length=MAX_FOREIGN_ID_LENGTH)] | None = None
    context: Raw = Raw(b"null")
    properties: _Properties | UnsetType = UNSET
    traits: _Properties | UnsetType = UNSET
    # These only steer the vendor's machinery.
    sent_at: Raw = Raw()
    integrations: Raw = Raw()
    channel: Raw = Raw()
    write_key: Raw = Raw()
    received_at: Raw = Raw()
    metadata: Raw = field(default=Raw(), name="_metadata")


_call = msgspec.json.Decoder(_Call)


def event_of(raw: Raw, kind: str) -> Event | None:
    """The event of one call, or None where it must be read key by key. `kind` is what the path
    says where the call itself says no type."""
    try:
        call = _call.decode(raw)
        named = name_of(call.type or kind, call.event, call.name)
        timestamp = times.utc(call.original_timestamp or call.timestamp)
    except (*UNREADABLE, Rejected, OverflowError):
        return None
    properties = _properties(call, named.type)
    if properties is None:
        return None
    user_id = call.user_id or ""
    where = where_of(bytes(call.context), call.anonymous_id or "", user_id)
    properties.update(named.extras)
    properties.update(where.extras)
    return Event(
        event_id=call.message_id,
        type=named.type,
        timestamp=timestamp,
        name=named.name or None,
        session_id=where.session_id or None,
        user_id=user_id or None,
        properties=properties,
        crash=crash_of(properties) if named.type == "app_crash" else None,
        context=where.context,
    )


def _properties(call: _Call, event_type: str) -> dict[str, Raw] | None:
    """The call's properties; of an identify, and where there are no others, its traits."""
    properties, traits = call.properties, call.traits
    if traits is UNSET:
        return {} if properties is UNSET else properties
    if properties is UNSET:
        return traits
    if event_type != "identify":
        return None
    return merged if len(merged := {**traits, **properties}) <= MAX_PROPERTIES else None
