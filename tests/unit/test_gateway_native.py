"""The native protocol's two passes: the fast one and the lenient one say the same of an event."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.prepare.batch import prepare
from gateway.prepare.context import Origin
from gateway.protocols.native import NativeProtocol
from gateway.protocols.protocol import Head
from tests.builders import as_body, make_batch, make_event
from tests.records import of_runs

HEAD = Head("POST", "/v1/events", b"", {})
ORIGIN = Origin("demo", "native", "r-1", datetime(2026, 11, 24, 5, 20, tzinfo=UTC))

leaves = st.sampled_from(["", "a", "1.4.2"])
own_contexts = st.fixed_dictionaries(
    {},
    optional={
        "app": st.fixed_dictionaries({}, optional={"version": leaves, "build": leaves}),
        "os": st.fixed_dictionaries({}, optional={"name": leaves}),
        "locale": leaves,
    },
)


def row_of(one: dict[str, Any]) -> dict[str, Any]:
    (batch,) = NativeProtocol().decode(HEAD, as_body(make_batch(one)))
    (record,) = of_runs(prepare(batch, ORIGIN).runs)
    return dict(json.loads(record.value))


def instants(found: dict[str, Any]) -> dict[str, Any]:
    """The row with its times as instants: either may keep the phone's offset."""
    times = {name: msgspec.convert(found[name], datetime) for name in ("occurred_at", "ts")}
    return {**found, **times, "properties": found.get("properties", {})}


@given(
    own_contexts,
    st.sampled_from([None, {}, {"kind": "anr"}, {"exception": {"type": "E"}, "frames": []}]),
    st.sampled_from(["app_open", "app_crash", "level_up"]),
    st.sampled_from(["2026-11-24T05:19:58Z", "2026-11-24T06:19:58.5+01:00", None]),
)
def test_an_event_says_the_same_beside_a_key_that_nobody_knows(
    context: dict[str, Any], crash: dict[str, Any] | None, event_type: str, timestamp: str | None
) -> None:
    known = {
        **make_event(type=event_type, crash=crash, context=context, user_id="u"),
        "timestamp": timestamp,
    }

    strict, lenient = row_of(known), row_of({**known, "brand_new": 7})

    assert lenient["properties"].pop("$event.brand_new") == 7
    lenient["properties"].pop("$timestamp", None)  # the original of a time that is none
    assert instants(lenient) == instants(strict)
