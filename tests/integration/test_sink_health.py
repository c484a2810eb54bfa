"""What a sink process tells its operators."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from infra.local.ports import free_ports
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest, wait_until
from tests.probing import Probe
from tests.sink_rig import SinkRig


@pytest.fixture
def rig(
    kafka: KafkaUnderTest, clickhouse: ClickHouseUnderTest, tmp_path: Path
) -> Iterator[SinkRig]:
    under_test = SinkRig(kafka, clickhouse, tmp_path)
    yield under_test
    under_test.close()


def _samples(text: str) -> list[Sample]:
    return [one for family in text_string_to_metric_families(text) for one in family.samples]


def _of_events(text: str, name: str, label: str) -> dict[str, float]:
    """A metric's samples of the events' topic, by a label."""
    return {
        one.labels[label]: one.value
        for one in _samples(text)
        if one.name == f"telemetry_sink_{name}" and one.labels.get("topic") == "app-events"
    }


def test_a_working_sink_is_live_ready_and_its_account_closes(rig: SinkRig) -> None:
    (port,) = free_ports(1)
    copied = rig.record()
    values = [copied, copied, rig.record(sequence=-1), rig.record()]
    process = rig.start(metrics_port=port)
    process.wait_ready()
    offsets = rig.send(values, partition=1)
    wait_until(lambda: rig.offsets() == [offsets[0], offsets[3]], 60, "the rows")
    rig.wait_idle()

    probe = Probe(port)
    live, _ = probe.get("/livez")
    _, text = probe.get("/metrics")

    ends = _of_events(text, "records_total", "outcome")
    pending = _of_events(text, "pending_records", "topic")
    lag = _of_events(text, "lag_records", "partition")
    assert (live, probe.lacks()) == (200, [])
    assert "\ntelemetry_sink_ready 1.0\n" in text
    assert ends["polled"] >= 4
    assert ends["duplicate"] >= 1
    assert ends["dead_lettered"] >= 1
    assert ends["polled"] == ends["inserted"] + ends["duplicate"] + ends["dead_lettered"]
    assert set(pending.values()) == {0.0}
    assert lag["1"] == 0.0
    ages = {one.name: one.value for one in _samples(text) if "chunk_age_seconds" in one.name}
    assert ages["telemetry_sink_chunk_age_seconds_sum"] > 0
    assert ages["telemetry_sink_chunk_age_seconds_count"] >= 1


def test_a_sink_without_clickhouse_waits_says_so_and_stops_when_told(rig: SinkRig) -> None:
    nobody, port = free_ports(2)
    rig.url = f"http://127.0.0.1:{nobody}"
    process = rig.start(metrics_port=port)
    probe = Probe(port)
    wait_until(lambda: probe.lacks() == ["store"], 60, "its complaint")

    assert probe.get("/livez")[0] == 200
    assert "\ntelemetry_sink_ready 0.0\n" in probe.get("/metrics")[1]
    assert process.stop() == 0


@pytest.mark.parametrize(
    ("breaks", "mends", "says"),
    [
        (
            "RENAME TABLE telemetry.events_probe TO telemetry.away",
            "RENAME TABLE telemetry.away TO telemetry.events_probe",
            "telemetry.events_probe: the table is missing; run `telemetry-sink migrate`",
        ),
        (
            "ALTER TABLE telemetry.hourly RESET SETTING non_replicated_deduplication_window",
            "ALTER TABLE telemetry.hourly MODIFY SETTING non_replicated_deduplication_window=10000",
            "telemetry.hourly: repeated chunks would be stored twice",
        ),
    ],
    ids=["a table is missing", "a view's target forgets tokens"],
)
def test_a_sink_does_not_start_on_tables_that_do_not_fit(
    rig: SinkRig, breaks: str, mends: str, says: str
) -> None:
    assert rig.clickhouse.ask(breaks) == (200, "")
    try:
        process = rig.start()
        code = process.popen.wait(60)
    finally:
        assert rig.clickhouse.ask(mends) == (200, "")

    assert code == 1
    assert says in process.log_file.read_text().splitlines()[-1]
