"""Properties that must not be kept, by app: the operator's file of names, applied at the door.

The file is TOML: `"com.example.shop" = ["email", "phone"]`; `"*"` stands for every app. What it
names is taken out of events before anything is kept, and out of the originals of rejected ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

from gateway.contract.event import MAX_NAME_LENGTH, Batch, Event
from gateway.contract.verdict import Rejection
from gateway.contract.whole_file import Stamp, stamp_of

ALL_APPS = "*"
MOST_NAMES = 1_000  # in the file: each is a series of the metrics
MADE_HERE = ("$crash.", "$timestamp", "$event.crash")  # by the gateway, of fields of their own

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_LENGTH)]
Count = Callable[[str, str, int], None]  # of an app as the file has it, and a name of its


class DeniedError(Exception):
    """The file cannot be used. The text says why."""


class Denied:
    """The file as the ingest path asks it, read again when it changes."""

    def __init__(self, path: Path | None, count: Count) -> None:
        self.stops_any = False  # whether anything is taken out of anybody's events
        self._path = path
        self._count = count
        self._stamp: Stamp | None = None
        self._owners: dict[str, dict[str, str]] = {}  # by app: who denies a name, the app or all

    def refresh(self) -> bool:
        """Read the file again if it changed; True if so. Raises DeniedError, keeping what was."""
        if self._path is None:
            return False
        try:
            stamp = stamp_of(self._path)
            if stamp is not None and stamp == self._stamp:
                return False
            self._owners = _read(self._path.read_bytes())
        except (OSError, ValueError) as error:  # a TOML or UTF-8 error is a ValueError
            raise DeniedError(f"cannot use {self._path}: {error}") from None
        self._stamp = stamp
        self.stops_any = bool(self._owners)
        return True

    def __len__(self) -> int:
        return sum(map(len, self._owners.values()))

    def without(self, batch: Batch, app_id: str) -> Batch:
        """The batch without what its app may not keep."""
        owners = self._owners.get(app_id) or self._owners.get(ALL_APPS)
        if not owners:
            return batch
        extras = self._cut(batch.extras, owners, len(batch.events))
        events = [
            self._without(one, owners) if isinstance(one, Event) else _redacted(one, owners)
            for one in batch.events
        ]
        return msgspec.structs.replace(batch, events=events, extras=extras)

    def _without(self, event: Event, owners: dict[str, str]) -> Event:
        properties = event.properties
        if not properties or owners.keys().isdisjoint(properties):
            return event
        return msgspec.structs.replace(event, properties=self._cut(properties, owners, 1))

    def _cut(
        self, properties: dict[str, Raw], owners: dict[str, str], times: int
    ) -> dict[str, Raw]:
        for name in owners.keys() & properties.keys():
            self._count(owners[name], name, times)
        return {name: value for name, value in properties.items() if name not in owners}


def _read(content: bytes) -> dict[str, dict[str, str]]:
    """Raises ValueError."""
    named = msgspec.toml.decode(content, type=dict[str, list[Name]])
    if sum(map(len, named.values())) > MOST_NAMES:
        raise ValueError(f"it has more than {MOST_NAMES} names")
    for app, names in named.items():
        for name in names:
            if name.startswith(MADE_HERE):
                raise ValueError(
                    f"`{name}` of {app}: the gateway makes it of an event's own fields"
                )
    everybody = dict.fromkeys(named.pop(ALL_APPS, ()), ALL_APPS)
    owners = {app: {**everybody, **dict.fromkeys(names, app)} for app, names in named.items()}
    return {**owners, **({ALL_APPS: everybody} if everybody else {})}


def _redacted(rejection: Rejection, names: Collection[str]) -> Rejection:
    """Its original without these keys, at any depth; what is no JSON goes as a whole."""
    if not rejection.original:
        return rejection
    try:
        value = msgspec.json.decode(rejection.original)
        original = msgspec.json.encode(_pruned(value, names))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        original = b""
    return msgspec.structs.replace(rejection, original=original)


def _pruned(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(one, names) for key, one in value.items() if key not in names}
    if isinstance(value, list):
        return [_pruned(one, names) for one in value]
    return value
