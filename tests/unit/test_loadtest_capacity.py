"""The capacity plan: sums, limits, and that more devices never need less."""

from __future__ import annotations

import math
import re
from importlib.resources import files

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.runtime import BAD_USAGE
from loadtest.__main__ import app
from loadtest.capacity.inputs import BadInput, CapacityInputs, described, inputs_of
from loadtest.capacity.plan import (
    CHUNK_ROWS,
    SINK_INSERTS,
    CapacityPlan,
    Needs,
    device_bytes,
    gateway_us,
    hourly_bytes,
    most_sinks,
    needs_of,
    partition_rows_per_second,
    plan,
)
from loadtest.capacity.simulate import SESSION_SECONDS
from sinks.buffer import Pace
from sinks.config import SinkConfig

CASES = st.builds(
    CapacityInputs,
    devices=st.integers(1, 10**10),
    events_per_device_day=st.floats(0.1, 1000),
    events_per_post=st.floats(1, 1000),
    peak=st.floats(1, 20),
    utilisation_percent=st.floats(40, 100),
    zones=st.integers(1, 5),
    replication=st.integers(1, 5),
    retention_days=st.floats(0.1, 100),
    resend_seconds=st.floats(0, 3600),
    inserts_per_second=st.floats(5, 50),
    server_disk_tb=st.floats(4, 1000),
    events_days=st.floats(1, 1000),
    hourly_cells=st.integers(1, 1000),
)
NEARLY = 1e-9  # what sums of floats may differ by, as a share


@given(CASES, st.floats(1, 1e9), st.floats(1, 1000))
def test_a_cell_of_more_devices_never_needs_less(
    inputs: CapacityInputs, devices: float, factor: float
) -> None:
    fewer, more = needs_of(inputs, devices), needs_of(inputs, devices * factor)

    for name in Needs.__struct_fields__:
        assert getattr(more, name) >= getattr(fewer, name) * (1 - NEARLY), name


@given(CASES, st.integers(1, 10**10))
def test_more_devices_never_need_fewer_cells_or_bytes(inputs: CapacityInputs, more: int) -> None:
    first = plan(inputs)
    second = plan(msgspec.structs.replace(inputs, devices=inputs.devices + more))

    assert second.cells >= first.cells
    for name in ("devices", "kafka_bytes", "clickhouse_bytes", "gateway_cores", "spool_bytes"):
        assert getattr(second.total, name) >= getattr(first.total, name) * (1 - NEARLY), name


@given(CASES)
def test_totals_are_all_cells_together(inputs: CapacityInputs) -> None:
    found = plan(inputs)

    assert found.total.devices == pytest.approx(inputs.devices)
    for name in Needs.__struct_fields__:
        assert getattr(found.total, name) == getattr(found.cell, name) * found.cells


@given(CASES, st.floats(1, 1e10))
def test_something_runs_everywhere(inputs: CapacityInputs, devices: float) -> None:
    cell = needs_of(inputs, devices)

    for processes in (cell.gateway_processes, cell.sink_processes):
        assert processes >= 1
        assert processes % inputs.zones == 0
    assert cell.brokers >= inputs.replication
    assert cell.partitions >= cell.sink_processes
    assert cell.partitions % 12 == 0
    assert cell.clickhouse_servers == 1


@given(CASES)
def test_what_is_left_without_a_zone_carries_the_peak(inputs: CapacityInputs) -> None:
    cell = plan(inputs).cell
    used = inputs.utilisation_percent / 100
    left = 1 if inputs.zones == 1 else (inputs.zones - 1) / inputs.zones

    for processes, busy in (
        (cell.gateway_processes, cell.gateway_cores),
        (cell.sink_processes, cell.sink_cores),
        (cell.brokers * inputs.broker_cores, cell.broker_cores),
    ):
        assert processes * left * used >= busy * (1 - 1e-6) - 1e-6
    for flow in (cell.kafka_in_bytes_per_second, cell.kafka_out_bytes_per_second):
        assert cell.brokers * inputs.broker_network_mb * 1e6 * left * used >= flow * (1 - 1e-6) - 1
    assert cell.brokers * inputs.broker_disk_tb * 1e12 * used >= cell.kafka_bytes * (1 - 1e-6)


@given(CASES)
def test_a_cell_keeps_to_its_limits(inputs: CapacityInputs) -> None:
    found = plan(inputs)
    used = inputs.utilisation_percent / 100

    assert found.cell.devices <= min(one.devices for one in found.limits)
    assert found.cell.clickhouse_bytes <= inputs.server_disk_tb * 1e12 * used * (1 + NEARLY)
    assert found.cell.sink_processes <= most_sinks(inputs)
    assert found.cell.clickhouse_cores <= (
        inputs.server_cores * inputs.server_insert_percent / 100 * used
        + most_sinks(inputs) * 5 * inputs.insert_seconds
    ) * (1 + NEARLY)
    assert found.partition_share <= used * (1 + NEARLY)


@given(CASES)
def test_the_tightest_limit_decides(inputs: CapacityInputs) -> None:
    found = plan(inputs)

    assert [one.devices for one in found.limits] == sorted(one.devices for one in found.limits)
    assert found.cells == math.ceil(inputs.devices / found.limits[0].devices)


def test_figures_that_can_be_reckoned_by_hand() -> None:
    inputs = CapacityInputs(
        devices=864_000,
        events_per_device_day=10,  # 8,640,000 a day: 100 a second
        peak=3,
        events_per_post=4,
        gateway_post_us=40,
        gateway_event_us=5,
        wire_event_bytes=300,
        record_bytes=1000,
        log_event_bytes=200,
        replication=3,
        groups=2,
        retention_days=2,
        spool_minutes=1,
        event_row_bytes=50,
        events_days=10,
        events_per_session=5,
        session_row_bytes=100,
        sessions_days=10,
        device_day_bytes=30,
        summary_days=100,
        hourly_cells=10,
        hourly_cell_bytes=100,
        resend_seconds=200,
    )

    found = plan(inputs)

    assert found.cells == 1
    assert found.cell.events_per_second_mean == pytest.approx(100)
    assert found.cell.events_per_second_peak == pytest.approx(300)
    assert found.cell.posts_per_second_peak == pytest.approx(75)
    assert gateway_us(inputs) == 15
    assert found.cell.gateway_cores == pytest.approx(300 * 15e-6)
    assert found.cell.in_bytes_per_second == pytest.approx(90_000)
    assert found.cell.spool_bytes == pytest.approx(300 * 1000 * 60)
    assert found.cell.kafka_bytes == pytest.approx(8_640_000 * 2 * 200 * 3)
    assert found.cell.kafka_in_bytes_per_second == pytest.approx(300 * (1000 + 2 * 200))
    assert found.cell.kafka_out_bytes_per_second == pytest.approx(300 * 200 * (2 + 2))
    assert device_bytes(inputs) == 10 * 50 * 10 + 2 * 100 * 10 + 30 * 100
    assert hourly_bytes(inputs) == 10 * 24 * 100 * 100
    assert found.cell.clickhouse_bytes == pytest.approx(864_000 * 10_000 + 2_400_000)
    assert found.events_per_partition == pytest.approx(25)
    assert found.window_offsets == 5000


def test_a_partition_takes_its_chunks_one_after_another() -> None:
    inputs = CapacityInputs(sink_row_us=10, engine_row_us=8, insert_seconds=0.1)

    assert partition_rows_per_second(inputs) == pytest.approx(50_000 / (50_000 * 18e-6 + 0.1))


def test_what_the_sink_and_its_tables_do_by_default_is_what_is_reckoned_with() -> None:
    schema = files("sinks.clickhouse") / "schema"
    ttls = {
        name: float(re.findall(r"^TTL .*INTERVAL (\d+) DAY", text, re.MULTILINE)[0])
        for name, text in (
            (one, (schema / f"{one}.sql").read_text(encoding="utf-8"))
            for one in ("0001_events", "0002_sessions", "0003_device_days", "0004_hourly")
        )
    }
    inputs = CapacityInputs()

    assert ttls == {
        "0001_events": inputs.events_days,
        "0002_sessions": inputs.sessions_days,
        "0003_device_days": inputs.summary_days,
        "0004_hourly": inputs.summary_days,
    }
    assert SinkConfig().chunk_rows == CHUNK_ROWS
    assert Pace.INSERTS_PER_SECOND == SINK_INSERTS
    assert SinkConfig().session_timeout_ms == SESSION_SECONDS * 1000


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("devices", 0, "--devices: Expected `int` >= 1"),
        ("utilisation_percent", 101, "--utilisation-percent: Expected `float` <= 100"),
        ("events_per_device_day", 0, "--events-per-device-day: Expected `float` > 0"),
    ],
)
def test_a_value_out_of_range_names_its_option(field: str, value: float, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        inputs_of({field: value})

    assert str(caught.value).startswith(says)


def test_every_input_says_where_it_comes_from_or_what_it_is() -> None:
    for one in described():
        assert one.meaning
        assert one.bounds
        inputs_of({one.field: one.default})


def test_the_command_prints_its_plan_as_json() -> None:
    done = CliRunner().invoke(app, ["plan", "--json", "--devices", "5000000", "--peak", "2"])

    assert done.exit_code == 0
    found = msgspec.json.decode(done.stdout, type=CapacityPlan)
    assert found == plan(CapacityInputs(devices=5_000_000, peak=2.0))


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--sink-memory-gib", "0.5", "memory of sinks for the window of ids"),
        ("--server-cores", "1", "cores of a ClickHouse server"),
        ("--server-disk-tb", "0.5", "disk of a ClickHouse server"),
    ],
)
def test_a_cell_without_room_for_one_device_is_refused(option: str, value: str, says: str) -> None:
    done = CliRunner().invoke(app, ["plan", option, value])

    assert done.exit_code == BAD_USAGE
    assert f"too little of the {says}" in done.output


def test_the_command_refuses_what_is_out_of_range() -> None:
    done = CliRunner().invoke(app, ["plan", "--zones", "99"])

    assert done.exit_code == BAD_USAGE
    assert "--zones: Expected `int` <= 16" in done.output
