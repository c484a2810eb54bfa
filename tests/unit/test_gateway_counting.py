"""Counters of the hot path, as a registry tells them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from gateway.counting import Durations, Tally

BOUNDS = (0.001, 0.25, 1.0)


def told(one: Tally | Durations) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(one)
    lines = generate_latest(registry).decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def test_known_combinations_are_told_while_they_are_0_and_others_when_they_come() -> None:
    tally = Tally("t_total", "meaning", ["outcome"], [("good",), ("bad",)])
    tally.add("good")
    tally.add("good", count=2)
    tally.add("new")

    assert told(tally) == {
        't_total{outcome="good"}': 3,
        't_total{outcome="bad"}': 0,
        't_total{outcome="new"}': 1,
    }


@given(st.lists(st.floats(0, 3) | st.sampled_from(BOUNDS)))
def test_durations_are_told_as_the_client_library_would(seconds: list[float]) -> None:
    ours = Durations("seconds", "meaning", BOUNDS)
    registry = CollectorRegistry()
    theirs = Histogram("seconds", "meaning", buckets=BOUNDS, registry=registry)
    for one in seconds:
        ours.observe(one)
        theirs.observe(one)

    wanted = [
        line.rsplit(" ", 1)
        for line in generate_latest(registry).decode().splitlines()
        if not line.startswith("#") and "_created" not in line
    ]
    assert told(ours) == {name: float(value) for name, value in wanted}
