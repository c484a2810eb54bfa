"""Where a Snowplow event happened: its contexts, and fields beside them."""

from __future__ import annotations

from msgspec import Raw, Struct

from gateway.contract.event import (
    MAX_FOREIGN_ID_LENGTH,
    MAX_SEQUENCE,
    App,
    Context,
    Device,
    Library,
    Network,
    OperatingSystem,
)
from gateway.contract.verdict import Code, Rejected
from gateway.protocols import reading
from gateway.protocols.reading import take
from gateway.protocols.snowplow.described import Described

_SESSION, _MOBILE, _APPLICATION = "client_session", "mobile_context", "application"


class Where(Struct, frozen=True, gc=False):
    """`extras` are properties that keep what has no field."""

    context: Context
    session_id: str
    sequence: int | None
    extras: dict[str, Raw]


def take_where(keys: dict[str, Raw], user_id: str, contexts: list[Described]) -> Where:
    """Move what has a field of its own out of `keys`. Raises Rejected."""
    by_name: dict[str, dict[str, Raw]] = {name: {} for name in (_SESSION, _MOBILE, _APPLICATION)}
    extras: dict[str, Raw] = {}
    for one in contexts:
        if by_name.get(one.name) == {} and (found := one.keys()):
            by_name[one.name] = found
        else:
            extras[_free_name(f"$context.{one.name}", extras)] = one.data
    session, mobile = by_name[_SESSION], by_name[_MOBILE]
    device_id = take(session, "userId") or take(keys, "duid") or user_id
    if not device_id:
        raise Rejected(Code.MISSING_FIELD, "`client_session.userId` is missing")
    if len(device_id) > MAX_FOREIGN_ID_LENGTH:
        text = f"`client_session.userId` is longer than {MAX_FOREIGN_ID_LENGTH}"
        raise Rejected(Code.ID_TOO_LONG, text)
    context = Context(
        app=App(
            id=take(keys, "aid"),
            version=take(by_name[_APPLICATION], "version"),
            build=take(by_name[_APPLICATION], "build"),
        ),
        os=OperatingSystem(name=take(mobile, "osType"), version=take(mobile, "osVersion")),
        device=Device(
            id=device_id,
            manufacturer=take(mobile, "deviceManufacturer"),
            model=take(mobile, "deviceModel"),
        ),
        network=Network(type=take(mobile, "networkType"), carrier=take(mobile, "carrier")),
        library=_library(take(keys, "tv")),
        locale=take(keys, "lang"),
        timezone=take(keys, "tz"),
    )
    session_id = (take(session, "sessionId") or "")[:MAX_FOREIGN_ID_LENGTH]
    sequence = _take_sequence(session)
    for name, left in by_name.items():
        extras |= {f"$context.{name}.{key}": raw for key, raw in left.items()}
    return Where(context, session_id, sequence, extras)


def _free_name(name: str, taken: dict[str, Raw]) -> str:
    """The name, numbered where an event has several contexts of one."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}.{number}"
    return free


def _take_sequence(session: dict[str, Raw]) -> int | None:
    value = reading.as_value(session.get("eventIndex"))
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SEQUENCE:
        return None
    del session["eventIndex"]
    return value


def _library(tracker: str | None) -> Library | None:
    """`andr-6.1.0`."""
    if tracker is None:
        return None
    name, _, version = tracker.partition("-")
    return Library(name=f"snowplow-{name}", version=version or None)
