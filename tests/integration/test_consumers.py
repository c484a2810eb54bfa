"""Services of other teams on the real Kafka: they come late, read from the start, and need neither
the gateway nor anything else of ours."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from gateway.contract.topics import APP_EVENTS
from infra.local.ports import free_ports
from tests.builders import make_batch, make_event, make_record
from tests.kafka import KafkaUnderTest, wait_until
from tests.probing import Probe
from tests.processes import GatewayProcess, add_key

ROOT = Path(__file__).parents[2]
CONSUMERS = ROOT / "tests" / "consumers"
PAGE = ROOT / "docs" / "CONSUMERS.md"
RECORDS = 200  # of a device, sent at once
EXAMPLES = sorted(one for one in CONSUMERS.glob("*.py") if one.name != "__init__.py")


@pytest.fixture
def kafka(hub: KafkaUnderTest) -> KafkaUnderTest:
    """Other tests write what is no record, and that ends these services."""
    return hub


class Service:
    """One of the examples as a process."""

    def __init__(
        self, name: str, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self._output = folder / f"{name}-{uuid4()}.out"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, str(CONSUMERS / f"{name}.py"), *arguments],
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
            )

    def lines(self) -> list[str]:
        return self._output.read_text(encoding="utf-8").splitlines()

    def wait_for(self, line: str) -> None:
        wait_until(lambda: line in self.lines() or self._has_ended(), what=repr(line))
        assert line in self.lines(), self.lines()

    def _has_ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.terminate()
        return self._process.wait(60)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(30)


@pytest.fixture
def services() -> Iterator[list[Service]]:
    """Those that a test has started."""
    started: list[Service] = []
    yield started
    for one in started:
        one.kill()


@pytest.fixture
def app(kafka: KafkaUnderTest, tmp_path: Path) -> str:
    """An app whose phones have sent events through a gateway that is gone."""
    name = f"app-{uuid4()}"
    add_key(name, tmp_path)
    gateway = GatewayProcess(kafka.bootstrap, tmp_path)
    gateway.wait_until_ready()
    crash = make_event(
        event_id=str(uuid4()), type="app_crash", sequence=42, crash={"kind": "signal"}
    )
    for release, events in (
        ("1.0.0", [make_event(event_id=str(uuid4())), crash]),
        ("1.0.0", [crash]),  # sent again
        ("1.1.0", [make_event(event_id=str(uuid4()), type="app_crash", sequence=43)]),
        ("1.0.0", [crash]),  # and again, behind a newer event
        ("2.0.0", [make_event(event_id=str(uuid4()), type="app_crash", sequence=44)]),
        ("1.1.0", [make_event(event_id=str(uuid4()), type="app_close", sequence=40)]),
    ):
        context = {"device": {"id": f"phone of {name}"}, "app": {"version": release}}
        status, answer = gateway.post(make_batch(*events, context=context))
        assert status == 200, answer
    gateway.kill()
    return name


def test_crashes_are_counted_from_the_start_however_often_and_copies_once(
    kafka: KafkaUnderTest, app: str, tmp_path: Path, services: list[Service]
) -> None:
    for _ in range(2):
        service = Service("crashes", tmp_path, kafka.bootstrap)
        services.append(service)
        service.wait_for(f"{app} 2.0.0 1")

        mine = [line for line in service.lines() if line.startswith(app)]
        assert mine == [f"{app} 1.0.0 1", f"{app} 1.1.0 1", f"{app} 2.0.0 1"]


class States:
    """The file of device_state.py, as others see it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def rows(self, columns: str, app: str) -> list[tuple[object, ...]]:
        if not self.file.exists():
            return []
        with closing(sqlite3.connect(self.file, timeout=30)) as store:
            try:
                sql = f"SELECT {columns} FROM devices WHERE app_id = ? ORDER BY device_id"
                return list(store.execute(sql, (app,)))
            except sqlite3.OperationalError:  # it has not made its tables yet
                return []

    def records(self, app: str) -> int:
        return sum(int(str(row[0])) for row in self.rows("records", app))


def test_a_device_has_its_last_state_and_copies_do_not_turn_it_back(
    kafka: KafkaUnderTest, app: str, tmp_path: Path, services: list[Service]
) -> None:
    states = States(tmp_path / "devices.sqlite")
    services.append(Service("device_state", tmp_path, kafka.bootstrap, str(states.file)))
    wait_until(lambda: states.records(app) == 7, what="the state of seven records")

    found = states.rows("device_id, sequence, event_type, app_version", app)
    assert found == [(f"phone of {app}", 44, "app_crash", "2.0.0")]


def test_each_record_counts_once_however_often_the_service_is_killed(
    kafka: KafkaUnderTest, tmp_path: Path, services: list[Service]
) -> None:
    """Killed as soon as it has got on, while more records come: in the middle of its work."""
    states = States(tmp_path / "devices.sqlite")
    app = f"app-{uuid4()}"
    sent = 0

    def start() -> Service:
        services.append(Service("device_state", tmp_path, kafka.bootstrap, str(states.file)))
        return services[-1]

    def send() -> None:
        nonlocal sent
        sequences = range(sent + 1, sent + RECORDS + 1)
        asyncio.run(_send(kafka.bootstrap, app, sequences))
        sent += RECORDS

    send()
    for _ in range(4):
        service = start()
        _wait_for_more(states, app)
        send()
        service.kill()
        send()
    start()
    wait_until(lambda: states.records(app) >= 3 * sent, what="every record")

    found = states.rows("device_id, records, sequence", app)
    assert found == [(f"device-{one}", sent, sent) for one in range(3)]


def _wait_for_more(states: States, app: str) -> None:
    before = states.records(app)
    wait_until(lambda: states.records(app) > before, what="progress")


async def _send(bootstrap: str, app: str, sequences: range) -> None:
    """Three devices' events, each on a partition of its own."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for sequence in sequences:
            for partition in range(3):
                device = f"device-{partition}"
                fields = {"event_id": str(uuid4()), "app_id": app, "sequence": sequence}
                value = json.dumps(make_record(device_id=device, **fields)).encode()
                await producer.send(APP_EVENTS.name, value, device.encode(), partition)


class LoopOfOurs:
    """on_our_loop.py with a group of its own, and the crashes that it has stored."""

    def __init__(self, kafka: KafkaUnderTest, folder: Path, services: list[Service]) -> None:
        self._folder = folder
        self._services = services
        self._environment = {
            "TELEMETRY_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "TELEMETRY_SINK_GROUP": f"crashes-{uuid4()}",
            "TELEMETRY_SINK_SESSION_TIMEOUT_MS": "3000",
            "TELEMETRY_SINK_HEARTBEAT_INTERVAL_MS": "500",
            "TELEMETRY_SINK_REBALANCE_TIMEOUT_MS": "10000",
            "TELEMETRY_SINK_CHUNK_AGE_SECONDS": "0.1",
            "TELEMETRY_SINK_CHUNK_ROWS": "50",
        }
        (port,) = free_ports(1)
        self._environment["TELEMETRY_SINK_METRICS_PORT"] = str(port)
        self.probe = Probe(port)

    def start(self, file: str = "crashes") -> Service:
        path = str(self._folder / file)
        service = Service("on_our_loop", self._folder, path, environment=self._environment)
        self._services.append(service)
        return service

    def crashes(self, app: str, file: str = "crashes") -> list[tuple[object, ...]]:
        """(device, release, rows, different events), in the order of devices and releases."""
        sql = """
SELECT device_id, app_version, count(*), count(DISTINCT event_id) FROM crashes
WHERE app_id = ? GROUP BY device_id, app_version ORDER BY device_id, app_version
"""
        found = [one for one in self._folder.glob(f"{file}-*") if one.suffix != ".out"]
        if not found:
            return []
        with closing(sqlite3.connect(min(found), timeout=30)) as store:
            try:
                return list(store.execute(sql, (app,)))
            except sqlite3.OperationalError:  # it has not made its tables yet
                return []


def test_on_our_loop_each_crash_is_stored_once_over_kills_and_copies(
    kafka: KafkaUnderTest, tmp_path: Path, services: list[Service]
) -> None:
    app = f"app-{uuid4()}"
    crashes: list[dict[str, str]] = []

    def send() -> None:
        """Crashes, what is none, and copies of all crashes so far."""
        crashes.extend({"event_id": str(uuid4()), "event_type": "app_crash"} for _ in range(100))
        opens = [{"event_id": str(uuid4())} for _ in range(100)]
        asyncio.run(_send_to_one_partition(kafka.bootstrap, app, [*opens, *crashes]))

    send()
    ours = LoopOfOurs(kafka, tmp_path, services)
    for _ in range(2):
        service = ours.start()
        _wait_for_more_crashes(ours, app)
        send()
        service.kill()
        send()
    service = ours.start()
    expected = [("device-1", "1.4.2", len(crashes), len(crashes))]
    wait_until(lambda: ours.crashes(app) == expected, what="every crash")
    wait_until(lambda: ours.probe.lacks() == [], what="its readiness")
    assert ours.probe.values("telemetry_sink_records_total", "outcome")["inserted"] > 0
    assert service.stop() == 0

    again = LoopOfOurs(kafka, tmp_path, services)
    again.start("again")
    wait_until(lambda: again.crashes(app, "again") == expected, what="every crash, from the start")


def _wait_for_more_crashes(ours: LoopOfOurs, app: str) -> None:
    before = ours.crashes(app)
    wait_until(lambda: ours.crashes(app) != before, what="progress")


async def _send_to_one_partition(bootstrap: str, app: str, events: list[dict[str, str]]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for event in events:
            value = json.dumps(make_record(app_id=app, **event)).encode()
            await producer.send(APP_EVENTS.name, value, b"device-1", 5)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_page_shows_the_service_as_it_runs(example: Path) -> None:
    code = example.read_text(encoding="utf-8")

    assert f"```python\n{code}```\n" in PAGE.read_text(encoding="utf-8")
