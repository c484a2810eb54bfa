"""Attributes that say where a record was logged, as a context: the install, the app, the system."""

from __future__ import annotations

from collections.abc import Container

import msgspec
from msgspec import Raw, Struct, structs

from gateway.contract.event import (
    MAX_CONTEXT_BYTES,
    App,
    Context,
    Device,
    Library,
    Network,
    OperatingSystem,
)
from gateway.protocols.loose import text_of
from gateway.protocols.otlp.logs import Attributes
from gateway.protocols.otlp.names import first_text

USER_ID = ("user.id", "enduser.id")
SESSION_ID = ("session.id",)

_encode = msgspec.json.Encoder().encode


class _Field(Struct, frozen=True, gc=False):
    part: str
    key: str
    names: tuple[str, ...]  # the first that says something is taken


_FIELDS = (
    _Field("device", "id", ("app.installation.id", "device.id", "service.instance.id")),
    _Field("device", "manufacturer", ("device.manufacturer",)),
    _Field("device", "model", ("device.model.identifier", "device.model.name")),
    _Field("app", "id", ("service.name",)),
    _Field("app", "version", ("service.version", "app.version")),
    _Field("app", "build", ("app.build_id",)),
    _Field("os", "name", ("os.name", "os.type")),
    _Field("os", "version", ("os.version",)),
    _Field("network", "type", ("network.connection.type",)),
    _Field("network", "carrier", ("network.carrier.name",)),
    _Field("library", "name", ("telemetry.sdk.name",)),
    _Field("library", "version", ("telemetry.sdk.version",)),
)
PLACE_NAMES = frozenset(name for field in _FIELDS for name in field.names)
_PARTS: dict[str, type[Struct]] = {
    "app": App, "os": OperatingSystem, "device": Device, "network": Network, "library": Library,
}  # fmt: skip


class Place(Struct, frozen=True, gc=False):
    """What a resource says of all its records. `extras` are properties that keep the rest."""

    attributes: Attributes  # those that make the context
    context: Context
    extras: dict[str, Raw]
    user_id: str
    session_id: str

    @property
    def device_id(self) -> str:
        return (self.context.device and self.context.device.id) or ""


def place_of(resource: Attributes) -> Place:
    """A resource's attributes, sorted."""
    context, used = _context(resource)
    used.update(USER_ID, SESSION_ID)
    return Place(
        {name: value for name, value in resource.items() if name in PLACE_NAMES},
        context,
        _extras(resource, used),
        first_text(resource, USER_ID),
        first_text(resource, SESSION_ID),
    )


def scope_extras(scope: Attributes) -> dict[str, Raw]:
    """A scope as properties."""
    return {
        f"$context.scope.{name}": Raw(_encode(value))
        for name, value in scope.items()
        if value not in ("", None)
    }


def moved(place: Place, attributes: Attributes) -> tuple[Place, set[str]]:
    """Where a record was logged, and which of its own attributes say so: they win over those of
    its resource, as when a crash of an older version is told by a newer one."""
    own = PLACE_NAMES & attributes.keys()
    known = {**place.attributes, **{name: attributes[name] for name in own}}
    context, used = _context(known)
    return structs.replace(place, context=context), used & own


def is_too_large(place: Place, scope: dict[str, Raw]) -> bool:
    """Whether every record would carry more context than one may."""
    limit = MAX_CONTEXT_BYTES
    return len(_encode(place.context)) + len(_encode(place.extras)) + len(_encode(scope)) > limit


def _extras(attributes: Attributes, used: Container[str]) -> dict[str, Raw]:
    """The attributes that have no other place, as properties."""
    return {
        f"$context.{name}": Raw(_encode(value))
        for name, value in attributes.items()
        if name not in used
    }


def _context(attributes: Attributes) -> tuple[Context, set[str]]:
    """The context, and the attributes that it holds."""
    context, used = Context(), set[str]()
    for field in _FIELDS:
        for name in field.names:
            if name in attributes and (text := text_of(attributes[name])):
                part = getattr(context, field.part) or _PARTS[field.part]()
                setattr(part, field.key, text)
                setattr(context, field.part, part)
                used.add(name)
                break
    return context, used
