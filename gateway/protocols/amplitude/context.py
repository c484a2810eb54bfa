"""Where an Amplitude event happened: keys that have a field, taken out of the others."""

from __future__ import annotations

from msgspec import Raw

from gateway.contract.event import App, Context, Device, Library, Network, OperatingSystem
from gateway.protocols import reading
from gateway.protocols.reading import take

TEXTS = (
    "user_id", "device_id", "app_version", "version_name", "os_name", "os_version",
    "device_manufacturer", "device_model", "carrier", "library", "language", "country", "ip",
)  # fmt: skip
LANGUAGE_CODE_LENGTH = 3  # a longer one is a whole locale, or the language's name


def take_context(keys: dict[str, Raw], device_id: str) -> Context:
    """Move what has a field of its own from `keys` into a context."""
    if bytes(keys.get("ip", b"")) == b'"$remote"':  # asks for the address that we see
        del keys["ip"]
    country = take(keys, "country")
    return Context(
        app=App(version=take(keys, "app_version", "version_name")),
        os=OperatingSystem(name=take(keys, "os_name"), version=take(keys, "os_version")),
        device=Device(
            id=device_id,
            manufacturer=take(keys, "device_manufacturer"),
            model=take(keys, "device_model"),
        ),
        network=Network(carrier=take(keys, "carrier")),
        library=_take_library(keys),
        locale=_locale(take(keys, "language"), country),
        country=country,
    )


def _take_library(keys: dict[str, Raw]) -> Library | None:
    """`name/version`, or an object of both in old SDKs."""
    text = take(keys, "library")
    if text:
        name, _, version = text.rpartition("/")
        return Library(name=name or version, version=version if name else None)
    parts = reading.as_object(keys.get("library"))
    if not parts:
        return None
    library = Library(name=take(parts, "name"), version=take(parts, "version"))
    if parts:
        return library
    del keys["library"]
    return library


def _locale(language: str | None, country: str | None) -> str | None:
    if language and country and len(language) <= LANGUAGE_CODE_LENGTH:
        return f"{language}-{country}"
    return language
