"""The items of an envelope as events. One that cannot be read does not cost the others."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gateway.contract.event import MAX_EVENTS, Event
from gateway.contract.refusal import RefusalCode, Refused
from gateway.contract.verdict import Code, Rejected, Rejection
from gateway.protocols import reading
from gateway.protocols.sentry.counts import events_of_counts
from gateway.protocols.sentry.envelope import JUNK, Envelope, Item
from gateway.protocols.sentry.event import event_of
from gateway.protocols.sentry.session import events_of_session
from gateway.protocols.sentry.strict import StrictReader
from gateway.protocols.sentry.wrapper import Wrapper

TAKEN = ("event", "session", "sessions")


class Events(Struct, frozen=True, gc=False):
    events: list[Event | Rejection]
    ignored: int  # items that are no events of ours


def events_of(envelope: Envelope, wrapper: Wrapper) -> Events:
    """Raises Refused when there are too many."""
    events: list[Event | Rejection] = []
    ignored = 0
    reader = StrictReader(wrapper)
    for item in envelope.items:
        found: Sequence[Event | Rejection] | None = None
        if item.type == "session":
            found = reader.events_of(item.payload)
        if found is None:
            found = _found(item, wrapper, len(events))
        events += found
        ignored += not found
        if len(events) > MAX_EVENTS:
            text = f"the envelope has more than {MAX_EVENTS} events"
            raise Refused(RefusalCode.TOO_MANY_EVENTS, text)
    return Events(events, ignored)


def _found(item: Item, wrapper: Wrapper, index: int) -> list[Event | Rejection]:
    """None of an item that says nothing to us."""
    if item.type == JUNK:
        return [Rejection(index, Code.INVALID_JSON, "this is no item", "", item.payload)]
    if item.type not in TAKEN:
        return []
    try:
        return list(_read(item, wrapper))
    except Rejected as fault:
        code, text = fault.code, str(fault)
    except Refused as refused:
        code, text = Code.INVALID_JSON, refused.text
    except RecursionError:
        code, text = Code.INVALID_JSON, "the item is nested too deep"
    text = f"{text} - in the `{item.type}` item"
    event_id = wrapper.event_id[:64] if item.type == "event" else ""
    return [Rejection(index, code, text, event_id, item.payload)]


def _read(item: Item, wrapper: Wrapper) -> list[Event]:
    """Raises Rejected, Refused or RecursionError."""
    keys = reading.json_object(item.payload)
    if item.type == "session":
        return events_of_session(item.payload, keys, wrapper)
    if item.type == "sessions":
        return events_of_counts(keys, wrapper)
    if reading.as_text(keys.get("type")) == "transaction":  # as `/store` has them
        return []
    return [event_of(item.payload, keys, wrapper)]
