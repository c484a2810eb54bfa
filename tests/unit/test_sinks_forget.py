"""Which rows go when somebody is forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.forgotten import Kind
from sinks.clickhouse.forget import Who, steps_of

MOMENT = 1_795_497_600_123  # 2026-11-24T05:20:00.123Z


@given(kind=st.sampled_from(Kind), until=st.none() | st.just(MOMENT), quote=st.text(max_size=5))
def test_no_text_of_an_id_stands_in_a_statement(kind: Kind, until: int | None, quote: str) -> None:
    app, identifier = f"shop'{quote}", f"x' OR 1{quote}"

    for step in steps_of(Who(app, kind, identifier, until)):
        assert "shop" not in step.condition
        assert "OR 1" not in step.condition
        assert b"x' OR 1".hex() in step.condition


@pytest.mark.parametrize("kind", Kind)
def test_events_go_last_because_what_else_goes_is_known_by_them(kind: Kind) -> None:
    names = [one.name for one in steps_of(Who("shop", kind, "x", None))]

    assert names[-1] == "events"
    assert set(names) == {"events", "sessions", "device_days", "crash_samples", "dead_letters"}


@pytest.mark.parametrize("kind", Kind)
def test_for_the_past_every_step_has_the_moment(kind: Kind) -> None:
    for step in steps_of(Who("shop", kind, "x", MOMENT)):
        assert "2026-11-24 05:20:00.123" in step.condition
