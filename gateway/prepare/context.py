"""Contexts: an event's own laid over its batch's, and both as the columns of a record."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec

from gateway.contract.event import App, Context, Device, Library, Network, OperatingSystem
from gateway.contract.record import ContextFields

_NO_APP, _NO_SYSTEM, _NO_DEVICE = App(), OperatingSystem(), Device()
_NO_NETWORK, _NO_LIBRARY = Network(), Library()

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


def fields_of(
    context: Context, device_id: str, origin: Origin, sent_at: datetime | None
) -> ContextFields:
    """Server fields and context as columns."""
    app = context.app or _NO_APP
    system = context.os or _NO_SYSTEM
    device = context.device or _NO_DEVICE
    network = context.network or _NO_NETWORK
    library = context.library or _NO_LIBRARY
    return ContextFields(
        received_at=origin.received_at,
        sent_at=sent_at,
        app_id=origin.app_id,
        protocol=origin.protocol,
        request_id=origin.request_id,
        device_id=device_id,
        country=origin.country or context.country or "",
        app_package=app.id or "",
        app_version=app.version or "",
        app_build=app.build or "",
        os_name=system.name or "",
        os_version=system.version or "",
        device_manufacturer=device.manufacturer or "",
        device_model=device.model or "",
        device_type=device.type or "",
        locale=context.locale or "",
        timezone=context.timezone or "",
        network_type=network.type or "",
        carrier=network.carrier or "",
        sdk_name=library.name or "",
        sdk_version=library.version or "",
    )
