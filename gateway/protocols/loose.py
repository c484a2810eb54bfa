"""Contexts of any shape: what fits a field goes there, all else becomes `$context.` properties."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gateway.contract.event import (
    App,
    Context,
    Device,
    Library,
    Network,
    OperatingSystem,
)

_PARTS: dict[str, type[Struct]] = {
    "app": App,
    "os": OperatingSystem,
    "device": Device,
    "network": Network,
    "library": Library,
}
_TEXTS = ("locale", "timezone", "country")
_NULL = Raw(b"null")
_encode = msgspec.json.Encoder().encode


class Loose(Struct, frozen=True, gc=False):
    """A context and the properties that keep what it has no field for."""

    context: Context | None
    extras: dict[str, Raw]


def context_of(value: object) -> Loose:
    """Sort a decoded context into fields and extras. Numbers in text fields become text."""
    if value is None:
        return Loose(None, {})
    if not isinstance(value, dict):
        return Loose(None, {"$context": Raw(_encode(value))})
    context = Context()
    extras: dict[str, Raw] = {}
    for name, part in value.items():
        if name in _PARTS and isinstance(part, dict):
            setattr(context, name, _part(name, part, extras))
        elif name in _TEXTS and (text := text_of(part)) is not None:
            setattr(context, name, text)
        elif part is not None:
            extras[f"$context.{name}"] = Raw(_encode(part))
    return Loose(context, extras)


def _part(name: str, keys: dict[str, object], extras: dict[str, Raw]) -> Struct:
    part = _PARTS[name]()
    for key, value in keys.items():
        text = text_of(value)
        if key in part.__struct_fields__ and text is not None:
            setattr(part, key, text or None)
        elif value is not None:
            extras[f"$context.{name}.{key}"] = Raw(_encode(value))
    return part


def text_of(value: object) -> str | None:
    """Versions and builds come as numbers too; everything else that is no text is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def without_nulls(keys: dict[str, Raw]) -> dict[str, Raw]:
    """A field that is null is a field that was not sent."""
    if _NULL not in keys.values():  # as nearly always
        return keys
    return {name: raw for name, raw in keys.items() if raw != _NULL}
