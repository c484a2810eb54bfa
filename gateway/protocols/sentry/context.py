"""Where a Sentry event or session happened, in our fields."""

from __future__ import annotations

from itertools import islice

from msgspec import Raw, Struct

from gateway.contract.event import MAX_PROPERTIES, App, Context, Device, Library
from gateway.protocols import reading
from gateway.protocols.loose import Loose, context_of, text_of
from gateway.protocols.sentry.frames import values_of

MAX_TEXT_LENGTH = 1_000  # characters of one field
_APP = {"app_identifier": "id", "app_name": "name", "app_version": "version", "app_build": "build"}


class Release(Struct, frozen=True, gc=False):
    """`id@version+build`; often without id or build."""

    id: str = ""
    version: str = ""
    build: str = ""

    @property
    def text(self) -> str:
        name = f"{self.id}@" if self.id else ""
        return f"{name}{self.version}+{self.build}" if self.build else f"{name}{self.version}"


def release_of(text: str) -> Release:
    """A scoped package's name has an `@` too: the last one counts."""
    name, _, rest = text.strip().rpartition("@")
    version, _, build = rest.partition("+")
    return Release(name, version, build)


def library_of(sdk: Raw | None, client: str) -> Library | None:
    """`sdk`, as events and envelopes say it; else the client's name in the head, `name/version`."""
    keys = reading.as_object(sdk)
    name, version = reading.as_text(keys.get("name")), reading.as_text(keys.get("version"))
    if not name:
        name, _, version = client.partition("/")
    if not name:
        return None
    return Library(name=name[:MAX_TEXT_LENGTH], version=version[:MAX_TEXT_LENGTH] or None)


def context_of_event(keys: dict[str, Raw], library: Library | None) -> Loose:
    """An event's context; `$context.` properties keep what it has no field for."""
    parts: dict[str, object] = {}
    contexts = reading.as_object(keys.get("contexts"))
    for name, raw in islice(contexts.items(), MAX_PROPERTIES + 1):
        value = values_of(raw) or reading.as_value(raw)
        if value not in ({}, [], "", None):
            parts[name] = value
    _place_app(parts, keys)
    _place_device(parts)
    _place_culture(parts)
    loose = context_of({name: part for name, part in parts.items() if part != {}})
    context = loose.context or Context()
    context.library = library
    _tidy(context)
    user = reading.as_object(keys.get("user"))
    country = reading.as_text(reading.as_object(user.get("geo")).get("country_code"))
    context.country = context.country or country[:8] or None
    return Loose(context, loose.extras)


def context_of_session(device_id: str, release: Release, library: Library | None) -> Context:
    app = App(id=release.id or None, version=release.version or None, build=release.build or None)
    context = Context(app=app, device=Device(id=device_id or None), library=library)
    _tidy(context)
    return context


def _place_app(parts: dict[str, object], keys: dict[str, Raw]) -> None:
    """The app's own context wins over what its release says."""
    value = parts.get("app")
    wire = dict(value) if isinstance(value, dict) else {}
    release = release_of(reading.as_text(keys.get("release")))
    app: dict[str, object] = {"id": release.id, "version": release.version, "build": release.build}
    if not release.build:
        app["build"] = reading.as_text(keys.get("dist"))
    for name, part in wire.items():
        if name in _APP and text_of(part):
            app[_APP[name]] = part
        elif name != "in_foreground" and part is not None:
            app[f"${name}" if name in _APP.values() else name] = part
    parts["app"] = {name: part for name, part in app.items() if part != ""}


def _place_device(parts: dict[str, object]) -> None:
    value = parts.get("device")
    if not isinstance(value, dict):
        return
    device = dict(value)
    if not text_of(device.get("manufacturer")) and text_of(device.get("brand")):
        device["manufacturer"] = device.pop("brand")
    for name in ("locale", "timezone"):
        if text_of(device.get(name)):
            parts.setdefault(name, device.pop(name))
    if text_of(device.get("connection_type")):
        parts["network"] = {"type": device.pop("connection_type")}
    parts["device"] = device


def _place_culture(parts: dict[str, object]) -> None:
    value = parts.get("culture")
    if not isinstance(value, dict):
        return
    culture = dict(value)
    for name in ("locale", "timezone"):
        text = text_of(culture.get(name))
        if text and parts.setdefault(name, text) == text:
            del culture[name]
    parts["culture"] = culture


def _tidy(context: Context) -> None:
    """No field begins or ends with space (Node's os version does), or is longer than a field."""
    for struct in (context.app, context.os, context.device, context.network, context):
        for name in struct.__struct_fields__ if struct is not None else ():
            text = getattr(struct, name)
            if isinstance(text, str) and not (struct is context.device and name == "id"):
                setattr(struct, name, text.strip()[:MAX_TEXT_LENGTH] or None)
