"""`telemetry-loadtest verify` against a real Kafka and a real ClickHouse: it tells what is wrong,
where, and with which event, and nothing when nothing is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from loadtest.digest import of_sent
from loadtest.ledger import Entry
from loadtest.ledger_file import LedgerFile, read_entries
from tests.builders import make_event
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest
from tests.sink_rig import SinkRig

EVENTS = 6
Found = dict[str, tuple[int, int, str]]


@pytest.fixture
def rig(
    kafka: KafkaUnderTest, clickhouse: ClickHouseUnderTest, tmp_path: Path
) -> Iterator[SinkRig]:
    rig = SinkRig(kafka, clickhouse, tmp_path)
    yield rig
    rig.close()


class Case:
    """Events of one phone, stored, and the ledger that tells of them."""

    def __init__(self, rig: SinkRig) -> None:
        self.rig = rig
        self.device = f"phone-{uuid4()}"
        self.path = rig.folder / "run.jsonl"
        self.events = [
            make_event(
                event_id=str(uuid4()),
                type="track",
                name="Bought",
                sequence=number,
                properties={"price": 1.5, "text": 'Ĝis "\n', "deep": {"a": [1, None]}},
            )
            for number in range(1, EVENTS + 1)
        ]

    @property
    def ids(self) -> list[str]:
        return [str(one["event_id"]) for one in self.events]

    def record(self, event: dict[str, Any]) -> bytes:
        record = self.rig.record(
            event_id=event["event_id"],
            event_type=event["type"],
            event_name=event["name"],
            occurred_at=event["timestamp"],
            sequence=event["sequence"],
            session_id=event["session_id"],
            properties=event["properties"],
            device_id=self.device,
        )
        return msgspec.json.encode(msgspec.json.decode(record))  # as the gateway writes it

    def store(self) -> None:
        """A record each, the first and the second once more, and one of another device."""
        values = [self.record(one) for one in (*self.events, *self.events[:2])]
        self.rig.send([*values, self.rig.record(), b"no record"], partition=5)
        self.rig.start()
        self.rig.wait_idle()

    def write(self, change: Callable[[list[Entry]], Sequence[Entry]] = lambda told: told) -> None:
        """The ledger: all posted, then what was told of them, as `change` has it."""
        posted = [
            Entry(self.device, name, "posted", digest=of_sent(one))
            for name, one in zip(self.ids, self.events, strict=True)
        ]
        told = [Entry(self.device, name, "accepted") for name in self.ids]
        self.path.unlink(missing_ok=True)
        file = LedgerFile(self.path)
        file.append(change([*posted, *told]))
        file.close()

    def verify(self, *more: str) -> tuple[int, Found]:
        """The exit code; by kind how many in Kafka and in ClickHouse (-1: not judged), and
        whatever is named."""
        asked = ["verify", "--ledger", str(self.path), "--patience-seconds", "0", *more]
        server = self.rig.clickhouse
        done = subprocess.run(
            [sys.executable, "-m", "loadtest", *asked],
            env={
                **os.environ,
                "TELEMETRY_LOADTEST_APP": self.rig.app,
                "TELEMETRY_KAFKA_BOOTSTRAP": self.rig.bootstrap,
                "TELEMETRY_CLICKHOUSE_URL": server.url,
                "TELEMETRY_CLICKHOUSE_USER": server.reader,
                "TELEMETRY_CLICKHOUSE_PASSWORD": server.reader_password,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        row = re.compile(r"^(lost|stored twice|devices out of order|altered|never sent) +(.*)$")
        found: Found = {}
        for line in done.stdout.splitlines():
            if matched := row.match(line):
                kind, rest = matched.groups()
                counts = re.findall(r"(\d+) [✔✘]|(-)", rest)[:2]
                kafka, stored = (int(number or -1) for number, _ in counts)
                found[kind] = (kafka, stored, rest)
        assert len(found) == 5, done.stdout + done.stderr
        return done.returncode, found


@pytest.fixture
def case(rig: SinkRig) -> Case:
    made = Case(rig)
    made.store()
    return made


def counts(found: Found) -> dict[str, tuple[int, int]]:
    """What was found, without what was not."""
    return {
        kind: (kafka, stored)
        for kind, (kafka, stored, _) in found.items()
        if kafka > 0 or stored > 0
    }


def test_each_kind_of_trouble_is_found_and_only_that(case: Case) -> None:
    case.write()
    code, found = case.verify()
    assert (code, counts(found)) == (0, {})

    lost = Entry(case.device, "nowhere", "accepted")
    case.write(lambda told: [*told, lost])
    code, found = case.verify()
    assert (code, counts(found)) == (1, {"lost": (1, 1)})
    assert "nowhere" in found["lost"][2]

    case.write(lambda told: [*told[:-2], told[-1], told[-2]])
    code, found = case.verify()
    assert (code, counts(found)) == (1, {"devices out of order": (1, 1)})
    assert case.device[:20] in found["devices out of order"][2]

    case.write(lambda told: [msgspec.structs.replace(told[0], digest="0" * 16), *told[1:]])
    code, found = case.verify()
    assert (code, counts(found)) == (1, {"altered": (1, 1)})
    assert case.ids[0][:20] in found["altered"][2]

    case.write(lambda told: [one for one in told if one.event_id != case.ids[3]])
    code, found = case.verify()
    assert (code, counts(found)) == (1, {"never sent": (1, 1)})
    assert case.ids[3][:20] in found["never sent"][2]


def test_a_row_too_many_is_found_in_clickhouse_alone(case: Case) -> None:
    case.write()
    another_day = "* REPLACE(occurred_at + INTERVAL 1 DAY AS occurred_at)"  # so it does not heal
    status, text = case.rig.clickhouse.ask(
        f"INSERT INTO telemetry.events SELECT {another_day} FROM telemetry.events"
        f" WHERE event_id = '{case.ids[2]}'"
    )
    assert status == 200, text

    code, found = case.verify()

    assert (code, counts(found)) == (1, {"stored twice": (-1, 1), "altered": (0, 1)})


def test_kafka_is_read_when_its_address_is_given(case: Case) -> None:
    case.write()

    code, found = case.verify("--kafka", "")
    assert (code, {kafka for kafka, _, _ in found.values()}) == (0, {-1})
    code, found = case.verify("--kafka", case.rig.bootstrap)
    assert (code, found["lost"][:2]) == (0, (0, 0))


def test_a_torn_last_line_is_no_event(case: Case) -> None:
    case.write()
    with case.path.open("ab") as file:
        file.write(b'{"device_id":"phone-x","event_id":"torn","outcome":"accep')

    assert len(list(read_entries(case.path))) == 2 * EVENTS
    assert case.verify()[0] == 0
