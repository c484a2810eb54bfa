"""What PostHog's SDKs write into the properties of every event, as our context."""

from __future__ import annotations

from msgspec import Raw

from gateway.contract.event import (
    App,
    Context,
    Device,
    Library,
    Network,
    OperatingSystem,
)
from gateway.protocols import reading

TEXTS = (
    "$lib", "$lib_version", "$os_name", "$os", "$os_version", "$app_namespace", "$app_name",
    "$app_version", "$app_build", "$device_manufacturer", "$device_model", "$device_type",
    "$device_id", "$anon_distinct_id", "distinct_id", "$session_id", "$network_type",
    "$network_carrier", "$locale", "$timezone",
)  # fmt: skip
FLAGS = ("$network_wifi", "$network_cellular", "$is_identified")

_LINKS = (("$network_wifi", "wifi"), ("$network_cellular", "cellular"))  # wifi wins, as on a phone


def take_text(properties: dict[str, Raw], name: str) -> str | None:
    """A property that has a place of its own. What is no text stays where it is."""
    raw = properties.get(name)
    if raw is None:
        return None
    text = reading.as_text(raw)
    if text or bytes(raw) in (b"null", b'""'):
        del properties[name]
    return text or None


def take_context(properties: dict[str, Raw], device_id: str, library: Library | None) -> Context:
    """Everything but the device's id is taken out of the properties."""
    name = take_text(properties, "$lib")
    version = take_text(properties, "$lib_version")
    system = take_text(properties, "$os_name")
    return Context(
        app=App(
            id=take_text(properties, "$app_namespace"),
            name=take_text(properties, "$app_name"),
            version=take_text(properties, "$app_version"),
            build=take_text(properties, "$app_build"),
        ),
        os=OperatingSystem(
            name=system or take_text(properties, "$os"),  # browsers write the latter alone
            version=take_text(properties, "$os_version"),
        ),
        device=Device(
            id=device_id,
            manufacturer=take_text(properties, "$device_manufacturer"),
            model=take_text(properties, "$device_model"),
            type=take_text(properties, "$device_type"),
        ),
        network=_network(properties),
        library=Library(name=name, version=version) if name else library,
        locale=take_text(properties, "$locale"),
        timezone=take_text(properties, "$timezone"),
    )


def _network(properties: dict[str, Raw]) -> Network:
    kind = take_text(properties, "$network_type")
    for name, link in _LINKS:
        is_up = reading.as_value(properties.get(name))
        if isinstance(is_up, bool):
            del properties[name]
            kind = kind or (link if is_up else None)
    return Network(type=kind, carrier=take_text(properties, "$network_carrier"))
