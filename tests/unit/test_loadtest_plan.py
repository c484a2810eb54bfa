"""How many phones a shape has at a time, and when they are away."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan import Plan, Shape

plans = st.builds(
    Plan,
    shape=st.sampled_from(get_args(Shape)),
    devices=st.integers(1, 100_000),
    seconds=st.integers(1, 86_400),
    seed=st.integers(),
    time_factor=st.floats(1, 3600),
    write_key=st.text(),
)


def plan(shape: Shape) -> Plan:
    return Plan(shape=shape, devices=50, seconds=30, seed=7, time_factor=60, write_key="key")


@given(plans, st.floats(0, 1, exclude_max=True))
def test_there_is_always_a_phone_and_never_one_too_many(plan: Plan, share: float) -> None:
    users = plan.users_at(share * plan.seconds)

    assert users is not None
    assert 1 <= users <= plan.devices


@given(plans)
def test_when_the_time_is_over_the_run_is(plan: Plan) -> None:
    assert plan.users_at(plan.seconds) is None


@pytest.mark.parametrize(
    ("shape", "users"),
    [
        ("steady", [50, 50, 50]),
        ("spike", [5, 50, 5]),
        ("herd", [50, 50, 50]),
        ("retry-storm", [50, 50, 50]),
    ],
)
def test_each_third_of_a_run_has_its_phones(shape: Shape, users: list[int]) -> None:
    assert [plan(shape).users_at(second) for second in (5, 15, 25)] == users


def test_only_a_herd_is_away_for_the_first_third() -> None:
    away = {shape: plan(shape).outage_seconds for shape in get_args(Shape)}

    assert away == {"steady": 0, "spike": 0, "herd": 10, "retry-storm": 0}


@given(plans)
def test_a_plan_survives_its_way_to_the_process(plan: Plan) -> None:
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
