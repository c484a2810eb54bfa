"""Measurements: nothing is lost between samples, and quantiles are true to 5%."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.latency import WIDTH, bucket_of, quantile
from loadtest.meter import NO_REPLY, SHORTEST_SECONDS, Meter, Sample, joined, total
from loadtest.summary import thinned

answers = st.tuples(
    st.sampled_from([0, 200, 401, 503]), st.floats(0, 20), st.integers(0, 9), st.integers(0, 50)
)
seconds = st.lists(st.lists(answers, max_size=10), min_size=1, max_size=30)


def measure(run: list[list[tuple[int, float, int, int]]]) -> list[Sample]:
    """A sample for each second of answers."""
    meter = Meter()
    samples: list[Sample] = []
    for at, second in enumerate(run, start=1):
        for status, took, asked, accepted in second:
            meter.answered(status, took, asked)
            meter.settled(accepted if status == 200 else 0, is_refused=status == 401)
        samples.append(meter.sample(float(at), len(second)))
    return samples


@given(seconds)
def test_the_whole_is_the_sum_of_what_happened(
    run: list[list[tuple[int, float, int, int]]],
) -> None:
    every = [one for second in run for one in second]

    whole = total(measure(run))

    assert whole.requests == len(every)
    assert whole.accepted == sum(accepted for status, _, _, accepted in every if status == 200)
    assert whole.refused == sum(status == 401 for status, *_ in every)
    assert whole.answers == Counter(str(one[0]) if one[0] else NO_REPLY for one in every)
    assert sum(whole.latencies.values()) == sum(status != 0 for status, *_ in every)
    assert whole.retry_after == Counter(asked for _, _, asked, _ in every if asked)
    assert whole.length == len(run)
    assert whole.users == max(len(second) for second in run)


@given(seconds, st.integers(1, 10))
def test_thinned_samples_add_up_to_the_same(
    run: list[list[tuple[int, float, int, int]]], most: int
) -> None:
    samples = measure(run)

    few = thinned(samples, most)

    assert len(few) <= most
    assert total(few) == total(samples)


@given(st.lists(st.builds(Sample, at=st.integers(), length=st.floats(0.01, 1)), min_size=2))
def test_no_rate_is_made_of_a_short_end(samples: list[Sample]) -> None:
    whole = joined(samples)

    assert math.isclose(total(whole).length, total(samples).length)
    assert whole[:-1] == samples[: len(whole) - 1]
    assert (len(whole) < len(samples)) == (samples[-1].length < SHORTEST_SECONDS)


@given(st.lists(st.floats(0.01, 60_000), min_size=1), st.floats(0, 1))
def test_a_quantile_is_true_to_5_percent(latencies: list[float], share: float) -> None:
    found = quantile(Counter(map(bucket_of, latencies)), share)

    true = next(
        one
        for number, one in enumerate(sorted(latencies), start=1)
        if number >= share * len(latencies)
    )
    assert true / WIDTH <= found <= true * WIDTH


def test_without_latencies_there_is_no_quantile() -> None:
    assert quantile({}, 0.5) == 0


@pytest.mark.parametrize(
    ("sample", "is_idle"),
    [
        (Sample(at=1, length=1), True),
        (Sample(at=1, length=1, users=1), False),
        (Sample(at=1, length=1, answers={"200": 1}), False),
    ],
)
def test_idle_is_when_nobody_is_there_and_nothing_happens(sample: Sample, is_idle: bool) -> None:
    assert sample.is_idle == is_idle
