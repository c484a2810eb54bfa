"""What the native contract says of events and batches, as named requests. Pure."""

from __future__ import annotations

import json

from gateway.contract.event import (
    MAX_CONTEXT_BYTES,
    MAX_EVENT_BYTES,
    MAX_EVENTS,
    MAX_ID_LENGTH,
    MAX_PROPERTIES,
)
from loadtest.conformance_finds import Case, kept, refused
from loadtest.conformance_maker import Maker
from loadtest.devices import DAY_MS, HOUR_MS, iso


def rejections(make: Maker) -> list[Case]:
    good, twice = make.event, make.event()

    def middle(name: str, code: str, bad: object) -> Case:
        body = make.batch(good(), bad, good())
        return Case(name=name, body=body, find=kept(2, 0, [(1, code)]))

    return [
        middle("no timestamp: rejected by index", "missing_field", good(timestamp=None)),
        middle("no event_id: rejected by index", "missing_field", good(event_id=None)),
        middle("no type: rejected by index", "missing_field", good(type=None)),
        middle("track without a name: rejected", "missing_field", good(type="track")),
        middle("an event that is a number: rejected", "invalid_json", 7),
        middle("a text for a sequence: rejected", "invalid_field", good(sequence="one")),
        middle(
            "an id that is too long: rejected",
            "id_too_long",
            good(event_id="x" * (MAX_ID_LENGTH + 1)),
        ),
        middle(
            "too many properties: rejected",
            "too_many_properties",
            good(properties={f"p{number}": 1 for number in range(MAX_PROPERTIES + 1)}),
        ),
        middle(
            "an event that is too large: rejected",
            "event_too_large",
            good(properties={"pad": "x" * MAX_EVENT_BYTES}),
        ),
        middle(
            "an event's context that is too large: rejected",
            "context_too_large",
            good(context={"app": {"name": "x" * MAX_CONTEXT_BYTES}}),
        ),
        Case(
            name="no device id anywhere: rejected",
            body=make.batch(context=None),
            find=kept(0, 0, [(0, "missing_field")]),
        ),
        Case(
            name="a rejected copy makes no duplicate",
            body=make.batch({**twice, "type": 7}, twice),
            find=kept(1, 0, [(0, "invalid_field")]),
        ),
    ]


def leniency(make: Maker) -> list[Case]:
    crash = {"kind": "exception", "exception": {"type": "E"}, "stacktrace": "x" * MAX_EVENT_BYTES}
    hour_late = iso(make.now_ms - 3 * HOUR_MS)
    return [
        Case(
            name="an unknown type is accepted",
            body=make.batch(make.event(type="app_swiped")),
            find=kept(),
        ),
        Case(
            name="unknown fields are accepted",
            body=make.batch(make.event(mood="good"), weather="fine"),
            find=kept(),
        ),
        Case(
            name="an id that is no UUID is accepted",
            body=make.batch(make.event(event_id=f"{make.device}/1")),
            find=kept(),
        ),
        Case(
            name="a crash may be larger than other events",
            body=make.batch(make.event(type="app_crash", crash=crash)),
            find=kept(),
        ),
        Case(
            name="a clock that is three hours slow",
            body=make.batch(make.event(timestamp=hour_late), sent_at=hour_late),
            find=kept(),
        ),
        Case(
            name="an event of last month",
            body=make.batch(make.event(timestamp=iso(make.now_ms - 31 * DAY_MS))),
            find=kept(),
        ),
        Case(
            name="a timestamp that is no time",
            body=make.batch(make.event(timestamp="yesterday")),
            find=kept(),
        ),
        Case(
            name="as many events as allowed",
            body=make.batch(*(make.event() for _ in range(MAX_EVENTS))),
            find=kept(MAX_EVENTS),
        ),
        Case(
            name="a content type with a charset",
            body=make.batch(),
            headers={"Content-Type": "application/json; charset=utf-8"},
            find=kept(),
        ),
        Case(
            name="X-Attempt and X-Device-Id",
            body=make.batch(),
            headers={"X-Attempt": "3", "X-Device-Id": make.device},
            find=kept(),
        ),
    ]


def refusals(make: Maker) -> list[Case]:
    many = make.batch(*(make.event() for _ in range(MAX_EVENTS + 1)))
    wide = {"device": {"id": make.device}, "app": {"name": "x" * MAX_CONTEXT_BYTES}}
    no_events = {"sent_at": iso(make.now_ms)}
    return [
        Case(name="an empty body", body=b"", find=refused(400, "empty_body")),
        Case(name="a body that is no JSON", body=b'{"a":', find=refused(400, "invalid_json")),
        Case(name="a body that is a list", body=b"[]", find=refused(400, "invalid_json")),
        Case(
            name="arrays nested too deep",
            body=b'{"sent_at":' + b"[" * 100_000,
            find=refused(400, "too_deep"),
        ),
        Case(
            name="an empty batch",
            body=json.dumps({**no_events, "events": []}).encode(),
            find=refused(400, "no_events"),
        ),
        Case(
            name="a batch without events",
            body=json.dumps(no_events).encode(),
            find=refused(400, "missing_field"),
        ),
        Case(
            name="a batch without sent_at",
            body=make.batch(sent_at=None),
            find=refused(400, "missing_field"),
        ),
        Case(
            name="events that are an object",
            body=make.batch(events={}),
            find=refused(400, "invalid_field"),
        ),
        Case(
            name="a context that is too large",
            body=make.batch(context=wide),
            find=refused(400, "context_too_large"),
        ),
        Case(name="too many events", body=many, find=refused(413, "too_many_events")),
        Case(
            name="a content type that is not JSON",
            body=make.batch(),
            headers={"Content-Type": "text/plain"},
            find=refused(415, "unsupported_content_type"),
        ),
    ]
