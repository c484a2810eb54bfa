"""The sender on a real broker, killed, frozen, reconfigured; and aiokafka's traps beside it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError, OutOfOrderSequenceNumber

from gateway.contract.record import Record, partition_of
from gateway.contract.topics import APP_EVENTS
from gateway.contract.verdict import Kept
from gateway.metrics import Metrics
from gateway.publish.kafka import KafkaOptions, KafkaPublisher
from gateway.publish.publisher import Outcome
from gateway.runtime import now_ms
from infra.provision import ProvisionOptions, provision
from tests.builders import make_record
from tests.kafka import KafkaUnderTest, read_topic, until

WAIT_SECONDS = 90
DEVICES = 24
SMALL_BYTES = 2_000


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaUnderTest]:
    """A broker of its own, with our topics."""
    under_test = KafkaUnderTest(tmp_path_factory.mktemp("kafka"))
    under_test.start()
    asyncio.run(provision(ProvisionOptions(bootstrap=under_test.bootstrap, replication_factor=1)))
    yield under_test
    under_test.stop()


class Sending:
    """A publisher in its life."""

    def __init__(self, broker: KafkaUnderTest, request_timeout_ms: int = 2_000) -> None:
        self.metrics = Metrics()
        options = KafkaOptions(
            bootstrap=broker.bootstrap,
            partitions=APP_EVENTS.partitions,
            deadline_seconds=60.0,
            request_timeout_ms=request_timeout_ms,
        )
        self.publisher = KafkaPublisher(options, now_ms, self.metrics)

    async def __aenter__(self) -> Sending:
        self._life = asyncio.create_task(self.publisher.run())
        await until(lambda: self.publisher.unready_reason() is None, what="readiness")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)

    async def keep(self, *records: Record) -> Outcome:
        settled: asyncio.Queue[Outcome] = asyncio.Queue()
        self.publisher.submit(records, settled.put_nowait)
        async with asyncio.timeout(WAIT_SECONDS):
            return await settled.get()

    def errors(self) -> set[str]:
        (family,) = self.metrics.kafka_errors.collect()
        return {one.labels["error"] for one in family.samples if one.name.endswith("_total")}


@pytest.fixture
async def sending(broker: KafkaUnderTest) -> AsyncIterator[Sending]:
    async with Sending(broker) as made:
        yield made


def record(mark: str, device: str = "device-1", number: int = 0, pad: int = 0) -> Record:
    value = make_record(
        event_id=str(uuid4()), app_id=mark, device_id=device, sequence=number,
        properties={"pad": "x" * pad},
    )  # fmt: skip
    return Record(APP_EVENTS.name, device.encode(), json.dumps(value).encode())


async def kept(broker: KafkaUnderTest, mark: str) -> list[Record]:
    found = await read_topic(broker.bootstrap, APP_EVENTS.name)
    return [
        Record(APP_EVENTS.name, one.key or b"", one.value or b"")
        for one in found
        if mark.encode() in (one.value or b"")
    ]


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


class TestFaults:
    async def test_a_broker_that_is_killed_twice_loses_and_doubles_nothing(
        self, broker: KafkaUnderTest, sending: Sending
    ) -> None:
        mark, stop = str(uuid4()), asyncio.Event()
        loading = asyncio.create_task(load(sending, mark, stop))
        for _ in range(2):
            await asyncio.sleep(0.5)
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
            await until(lambda: sending.publisher.unready_reason() is None, WAIT_SECONDS)
        stop.set()
        acknowledged = await loading

        lying = await kept(broker, mark)
        assert len(acknowledged) > DEVICES
        assert_kept_in_order(acknowledged, lying)
        assert max(Counter(one.value for one in lying).values()) == 1
        assert sending.errors() & {"connection", "connect"}

    async def test_resends_while_the_first_copies_wait_in_a_frozen_broker_double_nothing(
        self, broker: KafkaUnderTest
    ) -> None:
        async with Sending(broker, request_timeout_ms=1_000) as sending:
            mark, stop = str(uuid4()), asyncio.Event()
            loading = asyncio.create_task(load(sending, mark, stop))
            for _ in range(2):
                await asyncio.sleep(0.5)
                broker.pause()
                await until(lambda: "connection" in sending.errors(), WAIT_SECONDS)
                await asyncio.sleep(1.5)
                broker.resume()
            await asyncio.sleep(0.5)
            stop.set()
            acknowledged = await loading

        lying = await kept(broker, mark)
        assert_kept_in_order(acknowledged, lying)
        assert max(Counter(one.value for one in lying).values()) == 1

    async def test_a_topic_made_anew_under_a_waiting_batch_gets_it(
        self, broker: KafkaUnderTest, sending: Sending
    ) -> None:
        mark = str(uuid4())
        await sending.keep(record(mark))
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        await admin.delete_topics([APP_EVENTS.name])
        waiting = asyncio.create_task(sending.keep(record(mark, number=1)))
        await until(lambda: sending.publisher.unready_reason() is not None, WAIT_SECONDS)

        await provision(ProvisionOptions(bootstrap=broker.bootstrap, replication_factor=1))

        assert (await waiting).kept is Kept.KAFKA
        assert [json.loads(one.value)["sequence"] for one in await kept(broker, mark)] == [1]
        await admin.close()

    async def test_a_stop_with_kafka_away_ends(self, broker: KafkaUnderTest) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            async with Sending(broker) as sending:
                broker.pause()
                settled: list[Outcome] = []
                sending.publisher.submit([record("never")], settled.append)
        broker.resume()

        assert settled == []  # its client was told nothing: the connection ends


async def set_max_bytes(broker: KafkaUnderTest, value: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    resource = ConfigResource(
        ConfigResourceType.TOPIC, APP_EVENTS.name, configs={"max.message.bytes": str(value)}
    )
    await admin.alter_configs([resource])
    await admin.close()


class TestRefusedBatch:
    """A batch that the broker refuses, and what comes behind it."""

    @pytest.fixture(autouse=True)
    async def small_topic(self, broker: KafkaUnderTest) -> AsyncIterator[None]:
        await set_max_bytes(broker, SMALL_BYTES)
        yield
        await set_max_bytes(broker, APP_EVENTS.max_message_bytes)

    async def test_ours_fails_alone(self, broker: KafkaUnderTest, sending: Sending) -> None:
        mark = str(uuid4())
        before = await sending.keep(record(mark, number=1))
        refused = await sending.keep(record(mark, number=2, pad=2 * SMALL_BYTES))
        after = await sending.keep(record(mark, number=3))

        assert (before.kept, refused.kept, after.kept) == (Kept.KAFKA, None, Kept.KAFKA)
        assert "MessageSizeTooLarge" in refused.reason
        assert [json.loads(one.value)["sequence"] for one in await kept(broker, mark)] == [1, 3]

    async def test_aiokafka_s_own_producer_never_recovers(self, broker: KafkaUnderTest) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=broker.bootstrap, enable_idempotence=True, acks="all"
        )
        await producer.start()

        async def send(one: Record) -> None:
            partition = partition_of(one.key, APP_EVENTS.partitions)
            await producer.send_and_wait(one.topic, one.value, key=one.key, partition=partition)

        mark = str(uuid4())
        await send(record(mark, number=1))
        with pytest.raises(MessageSizeTooLargeError):
            await send(record(mark, number=2, pad=2 * SMALL_BYTES))
        for number in (3, 4):
            with pytest.raises(OutOfOrderSequenceNumber):
                await send(record(mark, number=number))
        await producer.stop()


async def test_aiokafka_s_own_stop_hangs_while_kafka_is_away(broker: KafkaUnderTest) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, enable_idempotence=True, acks="all",
        request_timeout_ms=500,
    )  # fmt: skip
    await producer.start()
    await producer.partitions_for(APP_EVENTS.name)
    broker.pause()
    try:
        waiting = await producer.send(APP_EVENTS.name, record("never").value, partition=0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4):
                await producer.stop()
        assert not waiting.done()  # eight of its own time-outs later
    finally:
        broker.resume()
        await producer.client.close()
        waiting.cancel()
