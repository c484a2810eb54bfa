"""The simulations: the fast way against the exact one, and backlogs against their formulas."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gateway.contract.record import murmur2, partition_of
from gateway.contract.uuid_text import is_uuid
from loadtest.capacity.hot import curve, fullest, window_seconds
from loadtest.capacity.inputs import CapacityInputs
from loadtest.capacity.keys import device_keys, murmur2_of
from loadtest.capacity.outages import (
    STEP,
    Restart,
    backlog,
    dynamic_lag,
    killed_lag,
    on_phones,
    static_lag,
)
from loadtest.capacity.simulate import (
    PARTITIONS,
    over_at,
    restart_of,
    run_simulation,
    worst,
)
from loadtest.capacity.spread import (
    BATCH,
    SLOTS,
    evenness,
    expected_fullest,
    loads,
    of_partitions,
)
from loadtest.capacity.svg import Axis, Chart, Curve, draw


@given(
    st.integers(0, 41).flatmap(lambda n: st.lists(st.binary(min_size=n, max_size=n), min_size=1))
)
def test_hashes_of_an_array_are_those_of_the_gateway(keys: Sequence[bytes]) -> None:
    rows = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), -1)

    assert murmur2_of(rows).tolist() == [murmur2(one) for one in keys]


def test_keys_are_uuids_of_their_own_whatever_the_batch() -> None:
    keys = [bytes(one).decode() for one in device_keys(0, 500, 7)]

    assert all(is_uuid(one) for one in keys)
    assert len(set(keys)) == 500
    assert [bytes(one).decode() for one in device_keys(200, 300, 7)] == keys[200:]
    assert keys[0] != bytes(device_keys(0, 1, 8)[0]).decode()


def test_loads_are_those_of_devices_taken_one_by_one() -> None:
    devices, sigma, seed = BATCH + 3000, 1.5, 3
    exact = {partitions: [0.0] * partitions for partitions in PARTITIONS}
    for first in (0, BATCH):
        count = min(BATCH, devices - first)
        activity = np.random.default_rng((seed, first)).lognormal(-(sigma**2) / 2, sigma, count)
        for key, much in zip(device_keys(first, count, seed), activity.tolist(), strict=True):
            hashed = partition_of(bytes(key), SLOTS)
            for partitions, found in exact.items():
                found[hashed % partitions] += much
    # the partition of a key is what is left of its slot's number: shown for some, by the contract
    for key in device_keys(0, 200, seed):
        for partitions in PARTITIONS:
            assert partition_of(bytes(key), SLOTS) % partitions == partition_of(
                bytes(key), partitions
            )

    done = list(loads([devices], seed, sigma))

    assert [one for one, _ in done] == [BATCH, devices]
    for partitions, found in exact.items():
        assert of_partitions(done[-1][1], partitions).tolist() == pytest.approx(found)


def test_the_fullest_is_told_in_means() -> None:
    slots = np.zeros(SLOTS)
    slots[:12] = [3, *[1] * 11]

    found = evenness(1000, slots, 12, 0.0)

    assert found.fullest == pytest.approx(3 / (14 / 12))
    assert found.expected == expected_fullest(1000, 12, 0.0)


@given(st.integers(10_000, 10**9), st.sampled_from(PARTITIONS), st.floats(0, 3))
def test_more_devices_spread_more_evenly(devices: int, partitions: int, sigma: float) -> None:
    once, four_times = (expected_fullest(devices * n, partitions, sigma) - 1 for n in (1, 4))

    assert four_times == pytest.approx(once / 2)


def test_hot_devices_in_one_partition_add_up() -> None:
    assert fullest(5, 1, 200.0, 7).per_second == 5200
    assert curve([1, 2], 1, 500.0, 7) == [(1, 1500), (2, 2500)]


@given(st.integers(1, 500), st.integers(2, 50))
def test_the_fullest_has_its_share_of_hot_devices_at_least(devices: int, partitions: int) -> None:
    found = fullest(devices, partitions, 0.0, 7).per_second

    assert math.ceil(devices / partitions) * 1000 <= found <= devices * 1000


def test_a_hot_device_shortens_the_window_of_its_neighbours() -> None:
    assert window_seconds(300_000, base=1000, hot=0) == 300
    assert window_seconds(300_000, base=1000, hot=1) == 150


def test_a_backlog_is_what_came_and_was_not_taken() -> None:
    line = backlog(5.0, lambda now: 0.0 if now < 10 else 15.0, 20)

    assert max(waiting for _, waiting in line) == 50
    assert dict(line)[10.0] == 50
    assert dict(line)[15.0] == 0  # at ten to spare
    assert line[-1] == (20.0, 0.0)


def catch_up_seconds(outage_seconds: float, per_second: float, ceiling: float) -> float:
    """The page's formula: from the end of an outage until nothing waits."""
    return outage_seconds * per_second / (ceiling - per_second)


RESTARTS = st.builds(
    Restart,
    sinks=st.integers(2, 12),
    partitions=st.integers(12, 96),
    per_second=st.floats(1000, 50_000),
    partition_ceiling=st.just(40_000.0),
    sink_ceiling=st.just(90_000.0),
    window_offsets=st.integers(0, 500_000),
    refill_us=st.floats(0, 5),
    drain_seconds=st.floats(0, 2),
)


@given(RESTARTS)
def test_a_restarted_sinks_partitions_catch_up_as_the_formula_says(restart: Restart) -> None:
    rate = restart.per_second / restart.partitions
    wanted = restart.away_seconds + catch_up_seconds(
        restart.away_seconds, rate, restart.per_partition(restart.sinks)
    )

    line = static_lag(restart, 0, wanted + 10)
    over = over_at(line)

    assert over is not None
    assert over == pytest.approx(wanted, abs=3 * STEP)
    assert worst(line) == pytest.approx(restart.away_seconds, abs=2 * STEP)


@given(RESTARTS)
def test_an_eager_group_stops_whole_when_a_member_leaves(restart: Restart) -> None:
    assert worst(dynamic_lag(restart, 200)) >= restart.stop_seconds - 2 * STEP


@given(RESTARTS, st.floats(3, 60))
def test_a_killed_sinks_partitions_wait_for_its_session(restart: Restart, session: float) -> None:
    assert worst(killed_lag(restart, session, 600)) >= session - STEP


def test_gateways_lost_within_what_is_to_spare_are_not_noticed() -> None:
    assert worst(on_phones(0.6, 0.39, 600, 1200)) == 0
    half = on_phones(0.6, 0.5, 600, 1200)  # a sixth is refused: 100 s of traffic
    assert worst(half) == pytest.approx(100)
    assert over_at(half) == pytest.approx(600 + 100 / (1 / 0.6 - 1), abs=1)


def test_who_takes_no_more_than_comes_never_catches_up() -> None:
    line = backlog(10.0, lambda now: 0.0 if now < 5 else 10.0, 100)

    assert line[-1][1] == worst(line) == 50
    assert over_at(line) is None


def test_the_sinks_of_the_simulation_are_those_of_the_plan() -> None:
    restart = restart_of(CapacityInputs(devices=20_000_000, resend_seconds=100))

    assert restart.window_offsets == math.ceil(restart.per_second / restart.partitions * 100)
    assert restart.drain_seconds == pytest.approx(50_000 / restart.partition_ceiling)


def test_a_simulation_makes_its_plots_and_tables() -> None:
    output = io.StringIO()

    done = run_simulation(20_000, 1.5, 7, Console(file=output, width=100))

    assert len(done.tables) == 4
    assert sorted(done.plots) == [
        "scale-gateways-lost", "scale-hot-devices", "scale-sink-restarts", "scale-spread",
    ]  # fmt: skip
    for document in done.plots.values():
        drawn = ElementTree.fromstring(document)  # noqa: S314  # our own
        assert len(drawn.findall(".//{*}polyline")) >= 2
        assert "prefers-color-scheme: dark" in document


def test_a_chart_puts_points_where_its_axes_say() -> None:
    chart = Chart(
        title="a < b", meaning="m",
        x=Axis(label="x, s", low=0, high=10), y=Axis(label="y", low=1, high=100, is_log=True),
        curves=[Curve(name="c & d", points=[(0, 1), (5, 10), (10, 100)], colour=0)],
        limit=(10, "limit"),
    )  # fmt: skip

    drawn = ElementTree.fromstring(draw(chart))  # noqa: S314  # our own

    line = drawn.find(".//{*}polyline")
    assert line is not None
    (x1, y1), (x2, y2), (x3, y3) = (
        [float(one) for one in point.split(",")] for point in line.attrib["points"].split()
    )
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)  # a tenfold is as high anywhere
    texts = {one.text for one in drawn.findall(".//{*}text")}
    assert {"a < b", "c & d", "x, s", "y", "limit"} <= texts
