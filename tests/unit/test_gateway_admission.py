"""How much may be in flight: nothing beyond the bounds, and nothing left counted afterwards."""

from __future__ import annotations

import random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.refusal import RefusalCode
from gateway.edge.admission import (
    Admission,
    AdmissionLimits,
    Place,
    Shed,
    retry_after_seconds,
)

KEYS = st.sampled_from([None, "a", "b", "c"])


def admission(requests: int = 10, size: int = 100, key_percent: int = 100) -> Admission:
    return Admission(AdmissionLimits(requests=requests, bytes=size, key_percent=key_percent))


def code_of(under_test: Admission, key: str | None, size: int = 0) -> RefusalCode | None:
    """Why one more does not come in; it goes at once if it does."""
    try:
        under_test.enter(key, size).leave()
    except Shed as shed:
        return shed.code
    return None


class TestTotal:
    @given(st.lists(st.integers(0, 150), max_size=30), st.integers(1, 5))
    def test_only_a_request_alone_may_be_larger_than_the_bound(
        self, sizes: list[int], max_requests: int
    ) -> None:
        under_test = admission(max_requests)
        inside: list[Place] = []
        for size in sizes:
            held = sum(one.bytes for one in inside)
            if len(inside) < max_requests and (not inside or held + size <= 100):
                inside.append(under_test.enter(None, size))
            else:
                assert code_of(under_test, None, size) == RefusalCode.OVERLOADED
                inside.pop(0).leave()
            assert under_test.requests == len(inside)
            assert under_test.bytes == sum(one.bytes for one in inside)

    def test_what_is_known_better_takes_the_place_of_what_was_declared(self) -> None:
        under_test = admission()

        under_test.enter("a", 90).resize(40)

        assert code_of(under_test, "a", 60) is None
        assert code_of(under_test, "a", 61) == RefusalCode.OVERLOADED

    def test_what_comes_beyond_the_declared_bytes_is_refused_once_there_is_no_room(self) -> None:
        under_test = admission()
        under_test.enter(None, 50)
        growing = under_test.enter(None, 0)

        growing.grow(50)
        with pytest.raises(Shed, match="the gateway is full"):
            growing.grow(51)

        assert under_test.bytes == 100

    def test_a_full_gateway_says_so_before_it_is_told_anything(self) -> None:
        under_test = admission(requests=1)
        under_test.check()
        under_test.enter(None, 0)

        with pytest.raises(Shed, match="the gateway is full"):
            under_test.check()


class TestShare:
    def test_one_key_fills_its_share_and_others_still_come_in(self) -> None:
        under_test = admission(requests=10, key_percent=50)
        for _ in range(5):
            under_test.enter("a", 0)

        assert code_of(under_test, "a") == RefusalCode.KEY_OVER_SHARE
        assert code_of(under_test, "b") is None

    def test_bytes_have_a_share_too(self) -> None:
        under_test = admission(size=100, key_percent=50)
        under_test.enter("a", 40)

        assert code_of(under_test, "a", 11) == RefusalCode.KEY_OVER_SHARE
        assert code_of(under_test, "b", 60) is None

    def test_growing_and_becoming_records_count_for_the_key(self) -> None:
        under_test = admission(size=100, key_percent=50)
        under_test.enter("a", 10)
        growing = under_test.enter("a", 0)

        with pytest.raises(Shed, match="more than its share"):
            growing.grow(41)
        growing.resize(40)

        assert code_of(under_test, "a", 1) == RefusalCode.KEY_OVER_SHARE

    def test_a_key_found_in_the_body_is_counted_from_then_on(self) -> None:
        under_test = admission(requests=4, key_percent=50)
        places = [under_test.enter(None, 10) for _ in range(3)]

        places[0].claim("a")
        places[1].claim("a")
        with pytest.raises(Shed) as shed:
            places[2].claim("a")

        assert shed.value.code == RefusalCode.KEY_OVER_SHARE
        places[2].claim("b")

    def test_the_smallest_share_is_one_request(self) -> None:
        under_test = admission(requests=2, size=10_000, key_percent=1)

        under_test.enter("a", 1000)

        assert code_of(under_test, "a") == RefusalCode.KEY_OVER_SHARE

    @given(st.lists(st.tuples(KEYS, st.integers(0, 60), st.booleans()), max_size=40))
    def test_after_all_have_left_nothing_is_counted_and_no_key_is_remembered(
        self, steps: list[tuple[str | None, int, bool]]
    ) -> None:
        under_test = admission(requests=5, key_percent=60)
        inside: list[Place] = []
        for key, size, leaves in steps:
            if leaves and inside:
                inside.pop().leave()
                continue
            try:
                place = under_test.enter(key, size)
            except Shed:
                continue
            inside.append(place)
            if key is None:
                try:
                    place.claim("late")
                    place.resize(size // 2)
                except Shed:
                    pass
        for place in inside:
            place.leave()

        assert (under_test.requests, under_test.bytes, under_test.keys) == (0, 0, 0)


class TestPressure:
    @pytest.mark.parametrize(("requests", "size", "pressure"), [(1, 0, 0.25), (1, 50, 0.5)])
    def test_is_of_the_bound_that_is_nearer(
        self, requests: int, size: int, pressure: float
    ) -> None:
        under_test = admission(4)
        for _ in range(requests):
            under_test.enter(None, size)

        assert under_test.pressure == pressure

    def test_tells_how_many_are_turned_away_for_each_that_comes_in(self) -> None:
        under_test = admission(requests=20)
        inside = [under_test.enter(None, 0) for _ in range(20)]
        for _ in range(400):  # nine are turned away, then one leaves and one comes in
            for _ in range(9):
                assert code_of(under_test, None) == RefusalCode.OVERLOADED
            inside.pop(0).leave()
            inside.append(under_test.enter(None, 0))

        assert 9 < under_test.pressure < 11

    def test_is_forgotten_when_all_come_in_again(self) -> None:
        under_test = admission(requests=20)
        full = [under_test.enter(None, 0) for _ in range(20)]
        for _ in range(200):
            assert code_of(under_test, None) == RefusalCode.OVERLOADED
        for place in full:
            place.leave()

        for _ in range(200):
            assert code_of(under_test, None) is None

        assert under_test.pressure < 0.01


class TestRetryAfter:
    @given(st.floats(-1, 1e6), st.floats(-1, 1e6), st.floats(0, 1, exclude_max=True))
    def test_is_longer_under_pressure_and_within_five_seconds_and_five_minutes(
        self, one: float, other: float, chance: float
    ) -> None:
        shorter, longer = (retry_after_seconds(p, chance) for p in sorted((one, other)))

        assert 5 <= shorter <= longer <= 300

    def test_grows_on_average_with_pressure(self) -> None:
        dice = random.Random(7)
        means = [
            mean(retry_after_seconds(pressure, dice.random()) for _ in range(2000))
            for pressure in (0, 0.5, 1, 3, 9)
        ]

        assert means == sorted(means)
        assert means[0] < 11
        assert means[-1] > 180

    @pytest.mark.parametrize("pressure", [1.0, 10.0, 1000.0])
    def test_phones_that_were_refused_together_do_not_come_back_together(
        self, pressure: float
    ) -> None:
        waits = [retry_after_seconds(pressure, number / 1000) for number in range(1000)]
        most = max(waits.count(one) for one in set(waits))

        assert max(waits) >= 2.5 * min(waits)
        assert most < 50  # of a thousand, also at the longest wait
