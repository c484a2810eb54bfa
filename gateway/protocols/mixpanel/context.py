"""Where a Mixpanel event happened: properties that have a field, taken out of the others."""

from __future__ import annotations

from msgspec import Raw

from gateway.contract.event import App, Context, Device, Library, Network, OperatingSystem
from gateway.protocols.reading import take

TEXTS = (
    "$app_version_string", "$android_app_version", "$app_build_number",
    "$android_app_version_code", "$os", "$os_version", "$android_os_version", "$manufacturer",
    "$android_manufacturer", "$model", "$android_model", "$carrier", "mp_lib", "$lib_version",
    "mp_country_code", "$user_id", "$device_id", "distinct_id",
)  # fmt: skip
FLAGS = ("$wifi",)


def take_context(properties: dict[str, Raw], device_id: str) -> Context:
    """Move what has a field of its own from `properties` into a context."""
    return Context(
        app=App(
            version=take(properties, "$app_version_string", "$android_app_version"),
            build=take(properties, "$app_build_number", "$android_app_version_code"),
        ),
        os=OperatingSystem(
            name=take(properties, "$os"),
            version=take(properties, "$os_version", "$android_os_version"),
        ),
        device=Device(
            id=device_id,
            manufacturer=take(properties, "$manufacturer", "$android_manufacturer"),
            model=take(properties, "$model", "$android_model"),
        ),
        network=Network(type=_network(properties), carrier=take(properties, "$carrier")),
        library=Library(
            name=take(properties, "mp_lib"),
            version=take(properties, "$lib_version"),
        ),
        country=take(properties, "mp_country_code"),
    )


def _network(properties: dict[str, Raw]) -> str | None:
    if bytes(properties.get("$wifi", b"")) != b"true":
        return None
    del properties["$wifi"]
    return "wifi"
