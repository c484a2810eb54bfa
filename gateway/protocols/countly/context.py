"""Where a Countly action happened: what the request and the action's own fields tell."""

from __future__ import annotations

from msgspec import Raw

from gateway.contract.event import App, Context, Device, Library, Network, OperatingSystem
from gateway.protocols.countly.request import Request
from gateway.protocols.reading import take


def take_context(request: Request, told: dict[str, Raw]) -> Context:
    """Move what has a field of its own from `told` (a session's metrics, or a crash) into a
    context. Raises Rejected."""
    return Context(
        app=App(version=take(told, "_app_version") or request.text("av") or None),
        os=OperatingSystem(name=take(told, "_os"), version=take(told, "_os_version")),
        device=Device(
            id=request.device_id,
            manufacturer=take(told, "_manufacturer", "_manufacture"),
            model=take(told, "_device"),
            type=take(told, "_device_type"),
        ),
        network=Network(carrier=take(told, "_carrier")),
        library=Library(
            name=request.text("sdk_name") or None, version=request.text("sdk_version") or None
        ),
        locale=take(told, "_locale"),
        country=request.text("country_code") or None,
    )
