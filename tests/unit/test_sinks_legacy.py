"""Rows of other systems, and what becomes of the gateway's answers to their events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from gateway.runtime import ConfigError
from sinks.legacy.mapping import Mapping, Unmappable, event_of, load_mappings
from sinks.legacy.metrics import Metrics
from sinks.legacy.poster import Poster
from sinks.legacy.run import LegacyReader
from sinks.sink import Bad, BadCode, Misconfigured

TOPIC = "legacy.crm"
MAPPING = Mapping(
    device_id="terminal",
    timestamp="at",
    type_column="what",
    types={"LOGIN": "app_open"},
    id_columns=["terminal", "number"],
    sequence="number",
    context={"app.version": "release", "locale": "lang"},
    properties={"clerk": "who"},
)
ROW: dict[str, Any] = {
    "terminal": "till-1", "number": 7, "what": "LOGIN", "at": "2026-11-24T05:20:00Z",
}  # fmt: skip


def make(mapping: Mapping = MAPPING, **changes: Any) -> dict[str, Any]:
    return event_of(mapping, TOPIC, json.dumps({**ROW, **changes}).encode())


def test_columns_become_fields() -> None:
    event = make(release="R7", lang="eo", who={"name": "Ĝi"}, unused=1)

    assert event == {
        "event_id": event["event_id"],
        "type": "app_open",
        "timestamp": "2026-11-24T05:20:00+00:00",
        "sequence": 7,
        "properties": {"clerk": {"name": "Ĝi"}},
        "context": {"device": {"id": "till-1"}, "app": {"version": "R7"}, "locale": "eo"},
    }


def test_the_same_row_is_the_same_event_and_another_is_another() -> None:
    assert make()["event_id"] == make(who="somebody")["event_id"]
    assert make()["event_id"] != make(number=8)["event_id"]
    assert make(terminal="till-11", number=2)["event_id"] != make(number=12)["event_id"]


@pytest.mark.parametrize(
    ("form", "value"),
    [("unix", 1795497600), ("unix_ms", 1795497600000), ("unix_ms", "1795497600000")],
)
def test_a_time_may_be_a_number(form: Any, value: object) -> None:
    mapping = msgspec.structs.replace(MAPPING, timestamp_format=form)

    assert make(mapping, at=value)["timestamp"] == "2026-11-24T05:20:00+00:00"


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"terminal": None}, BadCode.INVALID_RECORD, "terminal: missing"),
        ({"terminal": ""}, BadCode.INVALID_RECORD, "terminal: missing"),
        ({"terminal": ["x"]}, BadCode.INVALID_RECORD, "terminal: missing"),
        ({"what": "LUNCH"}, BadCode.INVALID_RECORD, "what: LUNCH is no known type"),
        ({"release": {"major": 7}}, BadCode.INVALID_RECORD, "release: missing"),
        ({"number": "seven"}, BadCode.INVALID_RECORD, "number: seven is no number"),
        ({"at": "yesterday"}, BadCode.INVALID_TIME, "at: yesterday is no time as rfc3339"),
        ({"at": "2026-11-24T05:20:00"}, BadCode.INVALID_TIME, "at: 2026-11-24T05:20:00 is no"),
    ],
)
def test_a_row_that_is_no_event_names_its_column(
    changes: dict[str, Any], code: BadCode, text: str
) -> None:
    with pytest.raises(Unmappable) as raised:
        make(**changes)

    assert raised.value.code == code
    assert str(raised.value).startswith(text)


@pytest.mark.parametrize("value", ["nan", "1e300", "soon"])
def test_a_number_that_is_no_time_is_told(value: str) -> None:
    mapping = msgspec.structs.replace(MAPPING, timestamp_format="unix")

    with pytest.raises(Unmappable, match="is no time as unix"):
        make(mapping, at=value)


@pytest.mark.parametrize("value", [None, b"", b"[]", b"\xff", b'{"a":', b"[" * 5000])
def test_what_is_no_object_is_told(value: bytes | None) -> None:
    with pytest.raises(Unmappable) as raised:
        event_of(MAPPING, TOPIC, value)

    assert raised.value.code == BadCode.INVALID_JSON


GOOD = """
[crm]
device_id = "d"
timestamp = "t"
type_column = "k"
types = { A = "app_open" }
id_columns = ["n"]
"""


def load(folder: Path, text: str) -> dict[str, Mapping]:
    file = folder / "legacy.toml"
    file.write_text(text)
    return load_mappings(file)


def test_a_table_is_a_topic(tmp_path: Path) -> None:
    found = load(tmp_path, GOOD + GOOD.replace("crm", "pos"))

    assert set(found) == {"legacy.crm", "legacy.pos"}
    assert found["legacy.crm"].types == {"A": "app_open"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no table"),
        ("[crm", "legacy.toml: "),
        (GOOD.replace("app_open", "app_opened"), "crm.types.A: app_opened is no event type"),
        (GOOD.replace('["n"]', "[]"), "id_columns"),
        (GOOD.replace('timestamp = "t"', ""), "timestamp"),
        (GOOD + "colour = 'red'", "colour"),
        (GOOD + "context = { 'device.id.x' = 'c' }", "context"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)

    assert said in str(raised.value)


class Door:
    """A gateway that answers as told, and takes POSTs of so many events."""

    def __init__(self, statuses: Sequence[int], most: int = 1000) -> None:
        self.statuses = list(statuses)
        self.most = most
        self.taken: list[list[int]] = []
        self.waits: list[float] = []
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        assert request.headers["Authorization"] == "Bearer key"
        status = self.statuses.pop(0) if self.statuses else 200
        if status != 200:
            return web.Response(status=status, text="told so", headers={"Retry-After": "7"})
        events = json.loads(await request.text())["events"]
        if len(events) > self.most:
            return web.Response(status=413)
        self.taken.append([one["sequence"] for one in events])
        return web.json_response({"accepted": len(events), "duplicates": 0, "rejected": []})

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


class Letters:
    def __init__(self) -> None:
        self.bad: list[Bad] = []

    async def bury(self, topic: str, partition: int, bad: Sequence[Bad]) -> None:
        self.bad += bad


@asynccontextmanager
async def reading(door: Door, letters: Letters) -> AsyncIterator[LegacyReader]:
    runner = web.ServerRunner(web.Server(door.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with aiohttp.ClientSession() as session:
            metrics = Metrics()
            poster = Poster(session, f"http://{host}:{port}/", "key", 10, door.sleep, metrics)
            yield LegacyReader({TOPIC: MAPPING}, poster, letters, metrics)  # type: ignore[arg-type]  # its fake
    finally:
        await runner.cleanup()


def record(offset: int, **changes: Any) -> ConsumerRecord[bytes, bytes]:
    value = json.dumps({**ROW, "number": offset, **changes}).encode()
    return ConsumerRecord(TOPIC, 0, offset, 0, 0, b"", value, None, 0, len(value), ())


async def settle(door: Door, *records: ConsumerRecord[bytes, bytes]) -> list[Bad]:
    letters = Letters()
    async with reading(door, letters) as reader:
        await reader.settle(TopicPartition(TOPIC, 0), list(records))
    return letters.bad


async def test_a_bad_row_does_not_cost_its_neighbours() -> None:
    door = Door([])
    bad = await settle(door, record(1), record(2, what="LUNCH"), record(3))

    assert door.taken == [[1, 3]]
    assert [(one.record.offset, one.code) for one in bad] == [(2, BadCode.INVALID_RECORD)]


async def test_an_overloaded_gateway_is_asked_again_when_it_says() -> None:
    door = Door([503, 429])

    assert await settle(door, record(1)) == []
    assert (door.taken, door.waits) == ([[1]], [7, 7])


@pytest.mark.parametrize("status", [400, 401, 404, 415])
async def test_what_only_an_operator_can_mend_stops_it(status: int) -> None:
    with pytest.raises(Misconfigured, match=f"the gateway answered {status}: told so"):
        await settle(Door([status]), record(1))


async def test_a_post_that_is_too_large_goes_in_parts_in_order() -> None:
    door = Door([], most=2)

    assert await settle(door, *(record(one) for one in range(1, 6))) == []
    assert [one for taken in door.taken for one in taken] == [1, 2, 3, 4, 5]


async def test_a_row_that_is_too_large_alone_is_a_dead_letter() -> None:
    bad = await settle(Door([], most=0), record(1))

    assert [(one.record.offset, one.code) for one in bad] == [(1, BadCode.REFUSED)]
