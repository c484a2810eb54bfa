"""Who an event of PostHog's is of, and where they were."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, Context, Library
from gateway.contract.verdict import Code, Rejected
from gateway.protocols import reading
from gateway.protocols.posthog.context import take_context, take_text

_encode = msgspec.json.Encoder().encode


class Who(Struct, frozen=True, gc=False):
    """Who an event is of, and where they were."""

    distinct_id: str
    device_id: str
    is_identified: bool
    session_id: str
    context: Context


def take_who(
    properties: dict[str, Raw],
    own_id: str,
    own_session_id: str,
    library_name: str,
    library_version: str,
    library: Library | None,
) -> Who:
    """What has a place of its own is taken out of the properties. `library` is that of the POST.
    Raises Rejected."""
    distinct_id = _distinct_id(own_id, properties)
    if len(distinct_id) > MAX_FOREIGN_ID_LENGTH:
        text = f"`distinct_id` is longer than {MAX_FOREIGN_ID_LENGTH}"
        raise Rejected(Code.ID_TOO_LONG, text)
    device_id = take_text(properties, "$device_id")
    device_id = device_id or take_text(properties, "$anon_distinct_id") or distinct_id
    if not device_id:
        raise Rejected(Code.MISSING_FIELD, "`distinct_id` is missing")
    if library_name:  # as server SDKs name themselves beside the properties
        library = Library(name=library_name, version=library_version or None)
    session_id = take_text(properties, "$session_id") or own_session_id
    return Who(
        distinct_id=distinct_id,
        device_id=device_id,
        is_identified=reading.as_value(properties.get("$is_identified")) is True,
        session_id=session_id[:MAX_FOREIGN_ID_LENGTH],
        context=take_context(properties, device_id, library),
    )


def _distinct_id(own: str, properties: dict[str, Raw]) -> str:
    """Beside the properties; web SDKs put it into them."""
    inner = take_text(properties, "distinct_id")
    if own and inner and own != inner:
        properties["distinct_id"] = Raw(_encode(inner))
    return own or inner or ""
