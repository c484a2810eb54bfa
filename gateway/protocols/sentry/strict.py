"""The usual session, in one typed pass; any other is read key by key, see `session`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH, MAX_PROPERTIES, MAX_SEQUENCE, Event
from gateway.protocols import times
from gateway.protocols.loose import without_nulls
from gateway.protocols.reading import UNREADABLE, is_utf8
from gateway.protocols.sentry.names import RUNNING
from gateway.protocols.sentry.session import About, Session, about_of
from gateway.protocols.sentry.wrapper import Wrapper

MAX_BYTES = 4096  # of one that never has to be trimmed
MAX_SAID = 16  # properties that an end has beside those of its `attrs`

_STATUSES = {name: Raw(b'"%b"' % name.encode()) for name in ("exited", "crashed", "abnormal")}


class _Session(Struct, forbid_unknown_fields=True, gc=False):
    """A key that is not here, or a value of another type, fails the pass: nothing is lost."""

    sid: Annotated[str, Meta(min_length=1, max_length=MAX_FOREIGN_ID_LENGTH)]
    started: Raw
    timestamp: datetime
    attrs: Raw
    did: str = ""
    init: bool = False
    status: str = RUNNING
    seq: Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)] | None = None
    errors: Raw | UnsetType = UNSET
    duration: Raw | UnsetType = UNSET


_session = msgspec.json.Decoder(_Session)
_instant = msgspec.json.Decoder(datetime)


class StrictReader:
    """Of the sessions of one envelope."""

    __slots__ = ("_about", "_attrs", "_device_id", "_wrapper")

    def __init__(self, wrapper: Wrapper) -> None:
        self._wrapper = wrapper
        self._attrs, self._device_id = Raw(), ""  # of the session before
        self._about: About | None = None

    def events_of(self, payload: bytes) -> list[Event] | None:
        """None where it must be read key by key."""
        if len(payload) > MAX_BYTES or not is_utf8(payload):
            return None
        try:
            said = _session.decode(payload)
            started, ended = times.utc(_instant.decode(said.started)), times.utc(said.timestamp)
        except (*UNREADABLE, OverflowError):
            return None
        about = self._about_of(said)
        if len(about.properties) + MAX_SAID > MAX_PROPERTIES:
            return None
        session = Session(said.sid, said.did, said.seq, about)
        events: list[Event] = []
        if said.init:
            events.append(session.event("session_start", started, {}))
        if said.status != RUNNING:
            if said.status not in _STATUSES:
                return None
            end = session.event("session_end", ended, _properties(said), status=said.status)
            events.append(end)
        return events

    def _about_of(self, said: _Session) -> About:
        if self._about is None or said.attrs != self._attrs or said.did != self._device_id:
            self._about = about_of(said.attrs, said.did, self._wrapper)
            self._attrs, self._device_id = said.attrs, said.did
        return self._about


def _properties(said: _Session) -> dict[str, Raw]:
    """Of the end of a session."""
    properties = {"status": _STATUSES[said.status]}
    if said.errors is not UNSET:
        properties["errors"] = said.errors
    if said.duration is not UNSET:
        properties["duration"] = said.duration
    properties["started"] = said.started
    return without_nulls(properties)
