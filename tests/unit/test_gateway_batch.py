"""A batch as records: one outcome for every event, and a record that its columns can hold."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateway.contract.event import Batch, Context, Crash, Device, Event, Stamp
from gateway.contract.record import encode
from gateway.contract.topics import MAX_RECORD_BYTES
from gateway.contract.verdict import Code, Rejected, Rejection
from gateway.prepare.batch import Prepared, prepare
from gateway.prepare.columns import Columns
from gateway.prepare.context import Origin
from tests.builders import EVENT_ID
from tests.records import Record, of_runs

RECEIVED = datetime(2026, 11, 24, 5, 20, tzinfo=UTC)
ORIGIN = Origin("demo", "native", "r-1", RECEIVED)
KILO = 1024


def on_device(device_id: str | None) -> Context:
    return Context(device=Device(id=device_id))


def event(**changes: Any) -> Event:
    values = {"event_id": EVENT_ID, "type": "app_open", "timestamp": RECEIVED, **changes}
    return Event(**values)


def raw(**values: Any) -> dict[str, Raw]:
    return {name: Raw(json.dumps(value).encode()) for name, value in values.items()}


def batch_of(*events: Event | Rejection, **changes: Any) -> Batch:
    values = {
        "sent_at": RECEIVED,
        "stamp": Stamp.EACH_ATTEMPT,
        "context": on_device("device-1"),
        **changes,
    }
    return Batch(events=list(events), **values)


def prepared(*events: Event | Rejection, **changes: Any) -> Prepared:
    return prepare(batch_of(*events, **changes), ORIGIN)


def row(record: Record) -> dict[str, Any]:
    return dict(json.loads(record.value))


def accepted(one: Event, **changes: Any) -> dict[str, Any]:
    """The row of an event that is taken."""
    (record,) = of_runs(prepared(one, **changes).runs)
    return row(record)


def code_of(one: Event, **changes: Any) -> Code:
    (rejection,) = prepared(one, **changes).outcomes.rejected
    return rejection.code


class TestOutcomes:
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["good", "nameless", "unread"]),
                st.sampled_from(["one", "other"]),
                st.sampled_from([None, "device-1", "device-2"]),
            ),
            max_size=12,
        )
    )
    def test_every_event_has_one_and_order_stays(
        self, wanted: list[tuple[str, str, str | None]]
    ) -> None:
        events: list[Event | Rejection] = []
        for index, (kind, event_id, device) in enumerate(wanted):
            own = on_device(device) if device else None
            kind_of_type = "track" if kind == "nameless" else "app_open"
            events.append(
                Rejection(index, Code.INVALID_JSON, "unread")
                if kind == "unread"
                else event(event_id=event_id, type=kind_of_type, sequence=index, context=own)
            )
        first: dict[tuple[str, str], int] = {}
        for index, (kind, event_id, device) in enumerate(wanted):
            if kind == "good":
                first.setdefault((event_id, device or "device-1"), index)

        found = prepared(*events)

        kept = sorted(first.values())
        by_device: dict[str, list[int]] = {}
        for (_, device_id), index in sorted(first.items(), key=lambda one: one[1]):
            by_device.setdefault(device_id, []).append(index)
        bad = [index for index, (kind, _, _) in enumerate(wanted) if kind != "good"]
        assert {
            run.key.decode(): [row(one).get("sequence", 0) for one in of_runs([run])]
            for run in found.runs
        } == by_device
        assert [one.index for one in found.outcomes.rejected] == bad
        assert found.outcomes.duplicates == sorted(set(range(len(wanted))) - set(kept) - set(bad))

    def test_a_rejection_keeps_the_event_as_it_was_read(self) -> None:
        (rejection,) = prepared(event(), event(type="track", properties=raw(a=1))).outcomes.rejected

        assert (rejection.index, rejection.event_id) == (1, EVENT_ID)
        assert rejection.text == "`name` is required for type `track` - at `$.events[1]`"
        assert json.loads(rejection.original)["properties"] == {"a": 1}


class TestDevice:
    def test_is_the_key_of_the_record_in_utf_8(self) -> None:
        (record,) = of_runs(prepared(event(), context=on_device("gerät-1")).runs)

        assert (record.topic, record.key) == ("app-events", "gerät-1".encode())

    def test_an_event_s_own_stands_over_the_batch_s(self) -> None:
        found = accepted(event(context=on_device("device-2")))

        assert found["device_id"] == "device-2"

    def test_an_event_s_own_is_enough(self) -> None:
        assert accepted(event(context=on_device("d")), context=None)["device_id"] == "d"

    @pytest.mark.parametrize("context", [None, Context(), on_device(None)])
    def test_an_event_without_one_is_rejected(self, context: Context | None) -> None:
        assert code_of(event(), context=context) is Code.MISSING_FIELD

    @pytest.mark.parametrize("limit", [64, 200])
    def test_its_length_has_the_protocol_s_limit(self, limit: int) -> None:
        longest, longer = on_device("d" * limit), on_device("d" * (limit + 1))

        assert accepted(event(), context=longest, max_id_length=limit)
        assert code_of(event(), context=longer, max_id_length=limit) is Code.ID_TOO_LONG


class TestColumns:
    @pytest.mark.parametrize(
        ("event_type", "name", "stored_type", "stored_name"),
        [
            ("app_close", None, "app_close", None),
            ("session_end", None, "session_end", None),
            ("screen", "Home", "screen", "Home"),
            ("track", "Order Completed", "track", "Order Completed"),
            ("level_up", None, "track", "level_up"),
            ("level_up", "Level 7", "track", "level_up"),
            ("APP_OPEN", None, "track", "APP_OPEN"),
        ],
    )
    def test_a_type_nobody_knows_is_the_name_of_a_track(
        self, event_type: str, name: str | None, stored_type: str, stored_name: str | None
    ) -> None:
        found = accepted(event(type=event_type, name=name))

        assert (found["event_type"], found.get("event_name")) == (stored_type, stored_name)

    @pytest.mark.parametrize("event_type", ["screen", "track"])
    def test_some_types_must_say_their_name(self, event_type: str) -> None:
        assert code_of(event(type=event_type)) is Code.MISSING_FIELD

    @pytest.mark.parametrize(
        ("value", "stored"),
        [(61_500, 61_500), (0, None), (1.9, 1), (2**32 - 1, 2**32 - 1), (2**32, None), (-1, None),
         ("soon", None), (None, None), ([1], None)],
    )  # fmt: skip
    def test_a_duration_that_its_column_cannot_hold_stays_a_property(
        self, value: object, stored: int | None
    ) -> None:
        found = accepted(event(type="app_close", properties=raw(duration_ms=value)))

        assert found.get("duration_ms") == stored
        assert found["properties"] == {"duration_ms": value}

    def test_only_an_app_close_has_a_duration(self) -> None:
        assert "duration_ms" not in accepted(event(properties=raw(duration_ms=5)))

    def test_a_foreign_session_is_another_one_on_another_device(self) -> None:
        one = accepted(event(session_id="run-7"))["session_id"]
        other = accepted(event(session_id="run-7"), context=on_device("device-2"))["session_id"]

        assert one != other

    def test_properties_of_the_batch_are_every_event_s_and_its_own_win(self) -> None:
        found = accepted(event(properties=raw(a=1)), extras=raw(a=2, b=2))

        assert found["properties"] == {"a": 1, "b": 2}

    @pytest.mark.parametrize(("sent_at", "quality"), [(RECEIVED, "as_sent"), (None, "no_sent_at")])
    def test_a_sent_time_that_is_none_is_not_stored(
        self, sent_at: datetime | None, quality: str
    ) -> None:
        found = accepted(event(), sent_at=sent_at)

        assert (found["time_quality"], "sent_at" in found) == (quality, sent_at is not None)

    @pytest.mark.parametrize("year", [1969, 2150])
    def test_a_sent_time_out_of_range_is_none(self, year: int) -> None:
        found = accepted(event(), sent_at=datetime(year, 7, 1, tzinfo=UTC))

        assert found["time_quality"] == "no_sent_at"


class TestCrash:
    def test_an_app_crash_that_says_nothing_more_is_a_fatal_one(self) -> None:
        found = accepted(event(type="app_crash"))

        assert (found["crash_kind"], found["crash_fatal"]) == ("unknown", True)

    @pytest.mark.parametrize("fatal", [True, False])
    def test_an_error_is_never_fatal(self, fatal: bool) -> None:
        found = accepted(event(type="error", crash=Crash(kind="exception", fatal=fatal)))

        assert found["crash_kind"] == "exception"
        assert "crash_fatal" not in found

    def test_of_another_event_it_is_a_property(self) -> None:
        found = accepted(event(crash=Crash(kind="anr")))

        assert found["properties"] == {"$event.crash": {"kind": "anr"}}
        assert "crash_kind" not in found


class TestSize:
    """The limit is of the event without what its batch says."""

    @pytest.mark.parametrize(
        ("crash", "limit"), [(None, 32 * KILO), (Crash(kind="anr"), 256 * KILO)]
    )
    def test_an_event_may_have_its_limit_and_not_a_byte_more(
        self, crash: Crash | None, limit: int
    ) -> None:
        def padded(size: int) -> Event:
            return event(type="app_crash" if crash else "app_open", crash=crash,
                         properties=raw(pad="x" * size))  # fmt: skip

        (small,) = of_runs(prepared(padded(0)).runs)
        shared = len(small.value.partition(b'"received_at":')[2]) - len(b"}")
        own = len(small.value) - shared

        assert of_runs(prepared(padded(limit - own)).runs)
        assert code_of(padded(limit - own + 1)) is Code.EVENT_TOO_LARGE

    def test_what_the_batch_says_costs_no_event_its_room(self) -> None:
        context = on_device("device-1")
        context.timezone = "x" * 8000

        assert accepted(event(properties=raw(pad="x" * 31 * KILO)), context=context)

    @pytest.mark.parametrize("char", ['"', "\\", "\n", "ü", "\x01"])
    @pytest.mark.parametrize("size", [100_000, 130_000, 260_000])
    def test_no_record_outgrows_a_message_whatever_its_stack_is_written_with(
        self, char: str, size: int
    ) -> None:
        found = prepared(event(type="app_crash", crash=Crash(stacktrace=char * size)))

        assert len(of_runs(found.runs)) + len(found.outcomes.rejected) == 1
        assert all(len(one.value) <= MAX_RECORD_BYTES for one in of_runs(found.runs))

    def test_a_stack_counts_as_it_came_not_as_it_is_escaped(self) -> None:
        assert accepted(event(type="app_crash", crash=Crash(stacktrace="\n" * 250_000)))


contexts = st.none() | st.builds(
    Context,
    device=st.none() | st.builds(Device, id=st.sampled_from([None, "one", "two"])),
    locale=st.sampled_from([None, "en", "de"]),
)
sessions = st.sampled_from([None, "s-1", "0192f0c0-4c1e-7000-8000-000000000001"])


@given(st.lists(st.tuples(contexts, sessions), min_size=1, max_size=12))
def test_what_events_share_is_found_once_and_changes_none_of_them(
    said: list[tuple[Context | None, str | None]],
) -> None:
    events = [
        event(event_id=f"e-{number}", context=context, session_id=session)
        for number, (context, session) in enumerate(said)
    ]

    together = of_runs(prepared(*events).runs)
    alone = [record for one in events for record in of_runs(prepared(one).runs)]

    assert sorted(together, key=lambda one: one.value) == sorted(alone, key=lambda one: one.value)


foreign_ids = st.integers(0).map(lambda number: f"order-{number}")
plain_events = st.builds(
    Event,
    event_id=st.uuids().map(str) | st.uuids().map(lambda one: str(one).upper()) | foreign_ids,
    type=st.sampled_from(["app_open", "app_close", "app_crash", "track", "screen", "x"]),
    timestamp=st.none() | st.integers(-60, 7).map(lambda days: RECEIVED + timedelta(days)),
    name=st.none() | st.just("cart"),
    session_id=sessions,
    sequence=st.none() | st.integers(0, 9),
    properties=st.none() | st.just({"duration_ms": Raw(b"12")}),
    crash=st.none() | st.just(Crash(stacktrace="at a.b(C.java:1)")),
)


@given(
    st.lists(plain_events, min_size=1, max_size=6, unique_by=lambda one: one.event_id.lower()),
    st.sampled_from([{}, {"shared": Raw(b"1")}, {"duration_ms": Raw(b"34")}]),
)
def test_what_is_made_without_a_second_look_is_what_the_second_look_makes(
    events: list[Event], extras: dict[str, Raw]
) -> None:
    batch = batch_of(*events, extras=extras)
    columns = Columns(batch, ORIGIN)
    looked_at: list[bytes] = []
    for one in events:
        with suppress(Rejected):
            looked_at.append(encode(columns.fields_of(one, columns.place_of(one))))

    assert [one.value for one in of_runs(prepare(batch, ORIGIN).runs)] == looked_at
