"""A publisher in its life, and devices that post through it one event after another."""

from __future__ import annotations

import asyncio
import json
from uuid import uuid4

from gateway.contract.topics import APP_EVENTS
from gateway.metrics import Metrics
from gateway.publish.kafka import KafkaOptions, KafkaPublisher
from gateway.publish.publisher import Outcome
from gateway.runtime import now_ms
from tests.builders import make_record
from tests.kafka import read_topic, until
from tests.records import Record, runs

WAIT_SECONDS = 90
DEVICES = 24


class Sending:
    """A publisher in its life."""

    def __init__(self, bootstrap: str, request_timeout_ms: int = 2_000) -> None:
        self.metrics = Metrics()
        self.acknowledged = 0
        options = KafkaOptions(
            bootstrap=bootstrap,
            partitions=APP_EVENTS.partitions,
            deadline_seconds=60.0,
            request_timeout_ms=request_timeout_ms,
        )
        self.publisher = KafkaPublisher(options, now_ms, self.metrics)

    async def __aenter__(self) -> Sending:
        self._life = asyncio.create_task(self.publisher.run())
        await until(lambda: not self.publisher.lacks(), what="readiness")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)

    async def keep(self, *records: Record) -> Outcome:
        settled: asyncio.Queue[Outcome] = asyncio.Queue()
        self.publisher.submit(runs(records), settled.put_nowait)
        async with asyncio.timeout(WAIT_SECONDS):
            outcome = await settled.get()
        self.acknowledged += outcome.kept is not None
        return outcome

    def errors(self) -> set[str]:
        (family,) = self.metrics.kafka_errors.collect()
        return {one.labels["error"] for one in family.samples if one.name.endswith("_total")}


def record(mark: str, device: str = "device-1", number: int = 0, pad: int = 0) -> Record:
    value = make_record(
        event_id=str(uuid4()), app_id=mark, device_id=device, sequence=number,
        properties={"pad": "x" * pad},
    )  # fmt: skip
    return Record(APP_EVENTS.name, device.encode(), json.dumps(value).encode())


async def kept(bootstrap: str, mark: str) -> list[Record]:
    found = await read_topic(bootstrap, APP_EVENTS.name)
    return [
        Record(APP_EVENTS.name, one.key or b"", one.value or b"")
        for one in found
        if mark.encode() in (one.value or b"")
    ]


async def sequences(bootstrap: str, mark: str) -> list[int]:
    """The sequences of these records, as they lie there."""
    return [int(json.loads(one.value)["sequence"]) for one in await kept(bootstrap, mark)]


async def load(sending: Sending, mark: str, stop: asyncio.Event) -> list[Record]:
    """Devices that post one event after another; what was acknowledged, per device in its order."""

    async def device(name: str) -> list[Record]:
        acknowledged: list[Record] = []
        while not stop.is_set():
            one = record(mark, name, len(acknowledged))
            while (await sending.keep(one)).kept is None:
                pass
            acknowledged.append(one)
        return acknowledged

    found = await asyncio.gather(*(device(f"device-{number}") for number in range(DEVICES)))
    return [one for device_s in found for one in device_s]


def assert_kept_in_order(acknowledged: list[Record], lying: list[Record]) -> None:
    """Every acknowledged record is there, its first copies in its device's order."""
    first = list({one.value: one for one in lying}.values())
    for key in {one.key for one in acknowledged}:
        assert [one.value for one in first if one.key == key] == [
            one.value for one in acknowledged if one.key == key
        ]
