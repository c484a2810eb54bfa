"""Devices and users who asked to be forgotten, as `app-forgotten` keeps them.

A wish names nobody: it is the hash of app, kind and id, so that the topic can recognise them and
tells nothing to who reads it.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256

import msgspec
from msgspec import Struct


class Kind(StrEnum):
    """Who is forgotten."""

    DEVICE = "device"
    USER = "user"


class Wish(Struct, frozen=True):
    """The value of a record; its key is the mark."""

    app_id: str
    kind: Kind
    at_ms: int  # Unix time
    past_only: bool = False  # what comes later is welcome


def mark_of(app_id: str, kind: Kind, identifier: str) -> str:
    """What a wish is recognised by."""
    return sha256(f"{app_id}\0{kind}\0{identifier}".encode("utf-8", "replace")).hexdigest()


class Wishes:
    """All wishes, as records of the topic tell them."""

    def __init__(self) -> None:
        self.stops_any = False  # whether anybody's events are stopped at the door
        self._wishes: dict[str, Wish] = {}
        self._apps: dict[str, set[Kind]] = {}

    @property
    def is_empty(self) -> bool:
        return not self._wishes

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """The next record. One that cannot be read is nobody's wish."""
        mark = (key or b"").decode("utf-8", "replace")
        try:
            wish = msgspec.json.decode(value, type=Wish) if value else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        if wish is None:
            self._wishes.pop(mark, None)
        else:
            self._wishes[mark] = wish
        self._apps = {}
        for one in self._wishes.values():
            self._apps.setdefault(one.app_id, set()).add(one.kind)
        self.stops_any = any(not one.past_only for one in self._wishes.values())

    def concerns(self, app_id: str) -> bool:
        """Whether anybody of the app has a wish."""
        return app_id in self._apps

    def of(self, app_id: str, kind: Kind, identifier: str) -> Wish | None:
        """The wish of this device or user. Apps without wishes cost no hash."""
        kinds = self._apps.get(app_id)
        if kinds is None or kind not in kinds or not identifier:
            return None
        return self._wishes.get(mark_of(app_id, kind, identifier))

    def stops(self, app_id: str, device_id: str, user_id: str) -> bool:
        """Whether an event of these may not come in."""
        return any(
            wish is not None and not wish.past_only
            for wish in self._both(app_id, device_id, user_id)
        )

    def erases(self, app_id: str, device_id: str, user_id: str, received_ms: int) -> bool:
        """Whether an event of these that came in then may not be stored again."""
        return any(
            wish is not None and (not wish.past_only or received_ms <= wish.at_ms)
            for wish in self._both(app_id, device_id, user_id)
        )

    def _both(self, app_id: str, device_id: str, user_id: str) -> tuple[Wish | None, Wish | None]:
        return self.of(app_id, Kind.DEVICE, device_id), self.of(app_id, Kind.USER, user_id)
