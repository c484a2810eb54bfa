"""Contexts: an event's own laid over its batch's, and both as the columns of a record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from gateway.contract.event import Context
from gateway.contract.record import ContextFields

EMPTY = Context()

PartT = TypeVar("PartT", bound=msgspec.Struct)


class Origin(msgspec.Struct, frozen=True, gc=False):
    """What the server knows of a POST: who sent it, when, by which protocol."""

    app_id: str
    protocol: str
    request_id: str
    received_at: datetime
    country: str = ""  # of a trusted edge header; it wins over what the SDK says
    is_retry: bool = False  # the client says that it sent this before


def merge(base: Context | None, own: Context) -> Context:
    """`own` over `base`: what a crash says of the crashed run wins, field by field. Empty text
    says nothing."""
    if base is None:
        return own
    return Context(
        app=_over(base.app, own.app),
        os=_over(base.os, own.os),
        device=_over(base.device, own.device),
        network=_over(base.network, own.network),
        library=_over(base.library, own.library),
        locale=own.locale or base.locale,
        timezone=own.timezone or base.timezone,
        country=own.country or base.country,
    )


def _over(base: PartT | None, own: PartT | None) -> PartT | None:
    if own is None or base is None:
        return base if own is None else own
    given = {name: value for name in own.__struct_fields__ if (value := getattr(own, name))}
    return msgspec.structs.replace(base, **given)


def iso(instant: datetime) -> str:
    """RFC 3339, UTC, milliseconds."""
    instant = instant.astimezone(UTC)  # a phone may tell its offset
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def fields_of(
    context: Context | None, device_id: str, origin: Origin, sent_at: datetime | None
) -> ContextFields:
    """Server fields and context as columns."""
    context = context or EMPTY
    app, system, device = context.app, context.os, context.device
    network, library = context.network, context.library
    return ContextFields(
        received_at=iso(origin.received_at),
        sent_at=iso(sent_at) if sent_at is not None else "",
        app_id=origin.app_id,
        protocol=origin.protocol,
        request_id=origin.request_id,
        device_id=device_id,
        country=origin.country or context.country or "",
        app_package=(app and app.id) or "",
        app_version=(app and app.version) or "",
        app_build=(app and app.build) or "",
        os_name=(system and system.name) or "",
        os_version=(system and system.version) or "",
        device_manufacturer=(device and device.manufacturer) or "",
        device_model=(device and device.model) or "",
        device_type=(device and device.type) or "",
        locale=context.locale or "",
        timezone=context.timezone or "",
        network_type=(network and network.type) or "",
        carrier=(network and network.carrier) or "",
        sdk_name=(library and library.name) or "",
        sdk_version=(library and library.version) or "",
    )
