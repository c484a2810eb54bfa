"""telemetry-sink dead-letters: what it tells, what it puts back, and that the account closes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord

from gateway.contract.dead_letter import DeadLetter
from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD
from gateway.runtime import BAD_USAGE, FOUND_WRONG, GOOD
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest, log_length, read_topic, wait_until
from tests.sink_rig import SinkRig

ROOMY: dict[str, Any] = {"chunk_rows": 1000, "chunk_age_seconds": 1.0}


@pytest.fixture
def rig(
    kafka: KafkaUnderTest, clickhouse: ClickHouseUnderTest, tmp_path: Path
) -> Iterator[SinkRig]:
    under_test = SinkRig(kafka, clickhouse, tmp_path)
    yield under_test
    under_test.close()


def dead_letters(
    rig: SinkRig, command: str, *arguments: str, **changes: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "TELEMETRY_KAFKA_BOOTSTRAP": rig.kafka.bootstrap,
        "TELEMETRY_CLICKHOUSE_URL": rig.clickhouse.url,
        "TELEMETRY_CLICKHOUSE_USER": rig.clickhouse.reader,
        "TELEMETRY_CLICKHOUSE_PASSWORD": rig.clickhouse.reader_password,
        **changes,
    }
    whole = [sys.executable, "-m", "sinks", "dead-letters", command, *arguments]
    return subprocess.run(
        whole, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def listed(rig: SinkRig, *arguments: str) -> Any:
    done = dead_letters(rig, "list", "--app", rig.app, "--format", "json", *arguments)
    assert done.returncode == GOOD, done.stderr
    return json.loads(done.stdout)


def reasons(rig: SinkRig, *arguments: str) -> dict[str, tuple[int, int]]:
    """Letters and how many of them were put back, by source and reason."""
    found = listed(rig, *arguments)["reasons"]
    return {f"{one['source']}/{one['reason']}": (one["letters"], one["replayed"]) for one in found}


def lengths(rig: SinkRig) -> list[int]:
    names = (APP_EVENTS.name, APP_EVENTS_DEAD.name)
    return [asyncio.run(log_length(rig.kafka.bootstrap, name)) for name in names]


def records(rig: SinkRig) -> list[ConsumerRecord[bytes, bytes]]:
    """What lies in `app-events` of this test's app."""
    found = asyncio.run(read_topic(rig.kafka.bootstrap, APP_EVENTS.name))
    return [one for one in found if rig.app.encode() in (one.value or b"")]


def account(rig: SinkRig) -> dict[str, int]:
    """The sums of the account of this test's app."""
    day = "2026-11-24"
    command = [sys.executable, "-m", "sinks", "query", "account", "--format", "json"]
    period = [f"app={rig.app}", f"from={day}", f"to={day}"]
    environment = {
        **os.environ,
        "TELEMETRY_CLICKHOUSE_URL": rig.clickhouse.url,
        "TELEMETRY_CLICKHOUSE_USER": rig.clickhouse.reader,
        "TELEMETRY_CLICKHOUSE_PASSWORD": rig.clickhouse.reader_password,
    }
    for one in period:
        command += ["--param", one]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    hours = json.loads(done.stdout)
    names = ("in_kafka", "replayed", "stored", "dead_lettered", "difference")
    return {name: sum(hour[name] for hour in hours) for name in names}


class Refusing:
    """While it lasts, ClickHouse takes no row of one country: an operator's constraint."""

    NAME, CHECK = "no_such_country", "country != 'XX'"

    def __init__(self, clickhouse: ClickHouseUnderTest) -> None:
        self._clickhouse = clickhouse

    def __enter__(self) -> None:
        self._alter(f"ADD CONSTRAINT {self.NAME} CHECK {self.CHECK}")

    def __exit__(self, *_: object) -> None:
        self._alter(f"DROP CONSTRAINT {self.NAME}")

    def _alter(self, change: str) -> None:
        """The probe table is made anew: an engine that keeps nothing cannot be altered so."""
        for statement in (
            f"ALTER TABLE telemetry.events {change}",
            "DROP TABLE telemetry.events_probe",
            "CREATE TABLE telemetry.events_probe AS telemetry.events ENGINE = Null",
        ):
            assert self._clickhouse.ask(statement) == (200, "")


def test_letters_go_back_once_and_the_account_closes(rig: SinkRig) -> None:
    strange = [rig.record(country="XX") for _ in range(3)]
    poison = rig.record(sequence=-1)
    door = DeadLetter(source="gateway", code="missing_field", text="no timestamp", app_id=rig.app)
    rig.send([b'{"type":"app_open"}'], 1, APP_EVENTS_DEAD.name, door.to_headers())
    with Refusing(rig.clickhouse):
        rig.send([rig.record(), *strange, poison, rig.record()], partition=8)
        rig.start(**ROOMY)
        rig.wait_idle()
    before, told = account(rig), reasons(rig)

    dry = dead_letters(rig, "replay", "--app", rig.app, "--dry-run")
    length = lengths(rig)
    first = dead_letters(rig, "replay", "--app", rig.app)
    rig.wait_idle()
    after = account(rig)

    assert told == {
        "sink/refused": (3, 0),
        "sink/invalid_record": (1, 0),
        "door/missing_field": (1, 0),
    }
    assert dry.returncode == first.returncode == FOUND_WRONG  # the door's letter was asked for
    assert dry.stdout.splitlines()[0] == "5 letters matched: 4 would be replayed, 1 skipped"
    assert first.stdout.splitlines()[0] == "5 letters matched: 4 replayed, 1 skipped"
    assert first.stdout.splitlines()[1].startswith("  1 rejected_at_the_door: what a phone sent")
    assert lengths(rig)[0] == length[0] + 4
    assert before == {
        "in_kafka": 6, "replayed": 0, "stored": 2, "dead_lettered": 4, "difference": 0
    }  # fmt: skip
    assert after == {
        "in_kafka": 10, "replayed": 4, "stored": 5, "dead_lettered": 5, "difference": 0
    }  # fmt: skip
    assert reasons(rig, "--source", "sink") == {
        "sink/refused": (3, 3),
        "sink/invalid_record": (2, 1),  # still bad: a letter again
    }

    again = dead_letters(rig, "replay", "--app", rig.app, "--reason", "refused")
    rig.wait_idle()

    assert again.returncode == GOOD
    assert again.stdout.splitlines()[0] == "3 letters matched: 0 replayed, 3 skipped"
    assert account(rig) == after


def test_a_record_goes_back_as_it_was(rig: SinkRig) -> None:
    strange = rig.record(country="XX")
    with Refusing(rig.clickhouse):
        (offset,) = rig.send([strange], 9, headers=[("traceparent", b"00-4bf9-00f0-01")])
        rig.start(**ROOMY)
        rig.wait_idle()

    done = dead_letters(rig, "replay", "--app", rig.app)

    was, now = records(rig)
    assert done.returncode == GOOD, done.stderr
    assert (was.partition, was.offset) == (9, offset)
    assert (now.partition, now.key, now.value) == (9, was.key, strange)
    assert now.headers[0] == ("traceparent", b"00-4bf9-00f0-01")
    assert [name for name, _ in now.headers] == ["traceparent", "replayed_from"]
    wait_until(lambda: rig.offsets() == [now.offset], 60, "its row")


def test_a_rate_spreads_the_records(rig: SinkRig) -> None:
    with Refusing(rig.clickhouse):
        rig.send([rig.record(country="XX") for _ in range(5)], partition=10)
        rig.start(**ROOMY)
        rig.wait_idle()

    done = dead_letters(rig, "replay", "--app", rig.app, "--rate", "10", "--limit", "4")

    times = [one.timestamp for one in records(rig)[5:]]
    assert done.stdout.splitlines()[0] == "5 letters matched: 4 replayed, 1 skipped"
    assert done.returncode == GOOD
    assert len(times) == 4
    assert times[-1] - times[0] >= 150  # two by two, a fifth of a second apart


def test_examples_are_shown_newest_first_and_filtered(rig: SinkRig) -> None:
    rig.send([rig.record()[:-9], rig.record(sequence=-1)], partition=11)
    rig.start(**ROOMY)
    rig.wait_idle()
    today = datetime.now(UTC).date().isoformat()

    found = listed(rig, "--reason", "invalid_record", "--limit", "1", "--from", today)
    table = dead_letters(rig, "list", "--app", rig.app)
    nothing = listed(rig, "--to", "2020-01-01")

    (example,) = found["examples"]
    assert [one["reason"] for one in found["reasons"]] == ["invalid_record"]
    assert example["origin"].startswith("app-events-11 at ")
    assert example["original"].startswith('{"event_id": "')
    assert len(example["original"]) == 300
    assert "Dead letters by reason" in table.stdout
    assert "invalid_record" in table.stdout
    assert nothing == {"reasons": [], "examples": []}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "yesterday"], "--from: 'yesterday' is no day"),
        (["--to", "3000-01-01"], "--to: 3000-01-01 is not in"),
        (["--from", "2026-11-02", "--to", "2026-11-01"], "--from: 2026-11-02 is after --to"),
    ],
)
@pytest.mark.parametrize("command", ["list", "replay"])
def test_a_wrong_day_is_bad_usage(
    rig: SinkRig, command: str, arguments: list[str], says: str
) -> None:
    done = dead_letters(rig, command, *arguments)

    assert done.returncode == BAD_USAGE
    assert says in done.stderr


def test_a_kafka_that_is_not_there_is_one_line(rig: SinkRig) -> None:
    done = dead_letters(rig, "replay", TELEMETRY_KAFKA_BOOTSTRAP="127.0.0.1:1")

    assert done.returncode == FOUND_WRONG
    assert done.stderr.splitlines()[-1].startswith("telemetry-sink: Kafka: ")
