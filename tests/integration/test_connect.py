"""The real Kafka Connect on the topics: events out to a file, rows of another system in."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from gateway.contract.dead_letter import from_headers
from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD
from infra.local.ports import free_ports
from tests.builders import make_record
from tests.connect import ConnectUnderTest
from tests.kafka import KafkaUnderTest, make_topic, read_topic, wait_until
from tests.probing import Probe
from tests.processes import KEY, GatewayProcess, Process, add_key

SECONDS = 40.0
PAGE = (Path(__file__).parents[2] / "docs" / "CONSUMERS.md").read_text(encoding="utf-8")
# What people copy from the page is what runs here.
(MAPPING,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
(FILE_SINK,) = re.findall(r"```\n(name=events-to-a-file\n.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def kafka(hub: KafkaUnderTest) -> KafkaUnderTest:
    """These tests read whole topics again and again: they should be short."""
    return hub


@pytest.fixture
def workers() -> Iterator[list[ConnectUnderTest | Process]]:
    """Those that a test has started."""
    started: list[ConnectUnderTest | Process] = []
    yield started
    for one in started:
        one.stop()


def test_a_file_sink_gets_every_event_as_it_lies_in_kafka(
    kafka: KafkaUnderTest, tmp_path: Path, workers: list[ConnectUnderTest | Process]
) -> None:
    app = f"app-{uuid4()}"
    sent = [json.dumps(make_record(event_id=str(uuid4()), app_id=app)) for _ in range(50)]
    asyncio.run(_send(kafka.bootstrap, sent))
    file = tmp_path / "events.jsonl"
    connector = dict(line.split("=", 1) for line in FILE_SINK.splitlines())
    connector["file"] = str(file)
    workers.append(ConnectUnderTest(kafka.bootstrap, tmp_path, connector))

    def lines() -> list[str]:
        text = file.read_text(errors="replace") if file.exists() else ""
        return [line for line in text.splitlines() if app in line]

    wait_until(lambda: len(lines()) == len(sent), SECONDS, "every event in the file")

    assert lines() == sent


async def _send(bootstrap: str, values: list[str]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for value in values:
            await producer.send_and_wait(APP_EVENTS.name, value.encode(), b"device-1")


class Crm:
    """An old system that writes lines, and what becomes of them."""

    def __init__(self, kafka: KafkaUnderTest, folder: Path) -> None:
        self.kafka = kafka
        self.folder = folder
        (self.metrics_port,) = free_ports(1)
        self.name = f"crm-{uuid4()}"
        self.topic = f"legacy.{self.name}"
        self.file = folder / "crm.jsonl"
        self.mapping = folder / "legacy.toml"
        self.mapping.write_text(MAPPING.replace("[crm]", f"[{self.name}]"))
        asyncio.run(make_topic(kafka.bootstrap, self.topic, 1))

    def write(self, *rows: object) -> None:
        with self.file.open("a") as file:
            for row in rows:
                file.write((row if isinstance(row, str) else json.dumps(row)) + "\n")

    def connect(self) -> ConnectUnderTest:
        connector = {
            "name": "crm",
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "topic": self.topic,
            "file": str(self.file),
        }
        return ConnectUnderTest(self.kafka.bootstrap, self.folder, connector)

    def reader(self, url: str) -> Process:
        """`telemetry-sink legacy`, in a group of its own: it reads from the start."""
        environment = {
            "TELEMETRY_KAFKA_BOOTSTRAP": self.kafka.bootstrap,
            "TELEMETRY_LEGACY_GATEWAY_URL": url,
            "TELEMETRY_LEGACY_WRITE_KEY": KEY,
            "TELEMETRY_LEGACY_GROUP": f"legacy-{uuid4()}",
            "TELEMETRY_LEGACY_METRICS_PORT": str(self.metrics_port),
        }
        command = ["sinks", "legacy", "--mapping", str(self.mapping)]
        return Process(command, environment, "legacy ready", self.folder / f"{uuid4()}.log")

    def events(self) -> list[dict[str, Any]]:
        """Those of its app, in the order of Kafka; one terminal is one partition."""
        read = asyncio.run(read_topic(self.kafka.bootstrap, APP_EVENTS.name))
        return [
            json.loads(one.value) for one in read if one.value and self.name.encode() in one.value
        ]

    def letters(self) -> list[tuple[bytes | None, str, str, int]]:
        """(original, code, text, offset) of its rows among the dead letters, in their order."""
        read = asyncio.run(read_topic(self.kafka.bootstrap, APP_EVENTS_DEAD.name))
        found = [(one.value, from_headers(one.headers)) for one in read]
        mine = [
            (value, letter.code, letter.text, letter.origin_offset)
            for value, letter in found
            if letter.origin_topic == self.topic
        ]
        return sorted(mine, key=lambda one: one[3])


def test_rows_of_another_system_become_events_and_the_others_dead_letters(
    kafka: KafkaUnderTest, tmp_path: Path, workers: list[ConnectUnderTest | Process]
) -> None:
    crm = Crm(kafka, tmp_path)
    row = {"terminal": f"till-{crm.name}", "at": 1_795_497_600_000, "release": "R7"}
    login = {**row, "number": 1, "what": "LOGIN", "clerk": "c-17"}
    crm.write(login, "no JSON", {**row, "number": 2, "what": "LUNCH"})
    crm.write({**row, "number": 3, "what": "ABEND"}, {**row, "number": 4, "what": "LOGOUT"})
    add_key("crm", tmp_path)
    gateway = GatewayProcess(kafka.bootstrap, tmp_path)
    gateway.wait_until_ready()
    port = gateway.port
    gateway.kill()  # rows wait for it
    reader = crm.reader(gateway.url)
    workers += [reader, crm.connect()]
    wait_until(lambda: "did not answer" in reader.log_file.read_text(), SECONDS, "the first try")
    probe = Probe(crm.metrics_port)
    assert (probe.lacks(), probe.get("/livez")[0]) == (["gateway"], 200)
    gateway = GatewayProcess(kafka.bootstrap, tmp_path, port)
    workers.append(gateway)
    wait_until(lambda: len(crm.events()) == 3, SECONDS, "an event of every good row")
    wait_until(lambda: len(crm.letters()) == 2, SECONDS, "a letter of every other row")
    wait_until(lambda: probe.lacks() == [], SECONDS, "its readiness")
    rows = {"read": 5, "accepted": 3, "duplicate": 0, "rejected": 0, "dead_lettered": 2}
    told = "telemetry_legacy_rows_total"
    wait_until(lambda: probe.values(told, "outcome") == rows, SECONDS, "its count of rows")

    first, *others = crm.events()
    assert [one["event_type"] for one in (first, *others)] == ["app_open", "app_crash", "app_close"]
    assert [one["sequence"] for one in (first, *others)] == [1, 3, 4]
    assert {name: first[name] for name in ("device_id", "app_id", "app_version", "protocol")} == {
        "device_id": row["terminal"],
        "app_id": "crm",
        "app_version": "R7",
        "protocol": "native",
    }
    assert first["properties"] == {"clerk": "c-17"}
    assert first["occurred_at"] == "2026-11-24T05:20:00Z"
    (no_json, lunch) = crm.letters()
    assert (no_json[0], no_json[1], no_json[3]) == (b"no JSON", "invalid_json", 1)
    assert lunch[1:] == ("invalid_record", "what: LUNCH is no known type", 2)

    (crm.metrics_port,) = free_ports(1)
    workers.append(crm.reader(gateway.url))  # in another group, from the start
    wait_until(lambda: len(crm.events()) == 6, SECONDS, "the same rows again")

    ids = [one["event_id"] for one in crm.events()]
    assert ids[:3] == ids[3:]
    assert len(set(ids)) == 3
