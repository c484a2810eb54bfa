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

from gateway.contract.record import partition_of
from gateway.contract.topics import APP_EVENTS
from gateway.contract.verdict import Kept
from gateway.publish.publisher import Outcome
from infra.provision import ProvisionOptions, provision
from tests.kafka import KafkaUnderTest, until
from tests.records import Record, runs
from tests.sending import (
    DEVICES,
    WAIT_SECONDS,
    Sending,
    assert_kept_in_order,
    kept,
    load,
    record,
)

SMALL_BYTES = 2_000


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaUnderTest]:
    """A broker of its own, with our topics."""
    under_test = KafkaUnderTest(tmp_path_factory.mktemp("kafka"))
    under_test.start()
    asyncio.run(provision(ProvisionOptions(bootstrap=under_test.bootstrap, replication_factor=1)))
    yield under_test
    under_test.stop()


@pytest.fixture
async def sending(broker: KafkaUnderTest) -> AsyncIterator[Sending]:
    async with Sending(broker.bootstrap) as made:
        yield made


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
            await until(lambda: not sending.publisher.lacks(), WAIT_SECONDS)
        stop.set()
        acknowledged = await loading

        lying = await kept(broker.bootstrap, mark)
        assert len(acknowledged) > DEVICES
        assert_kept_in_order(acknowledged, lying)
        assert max(Counter(one.value for one in lying).values()) == 1
        assert sending.errors() & {"connection", "connect"}

    async def test_resends_while_the_first_copies_wait_in_a_frozen_broker_double_nothing(
        self, broker: KafkaUnderTest
    ) -> None:
        async with Sending(broker.bootstrap, request_timeout_ms=1_000) as sending:
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

        lying = await kept(broker.bootstrap, mark)
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
        await until(lambda: bool(sending.publisher.lacks()), WAIT_SECONDS)

        await provision(ProvisionOptions(bootstrap=broker.bootstrap, replication_factor=1))

        assert (await waiting).kept is Kept.KAFKA
        assert [
            json.loads(one.value)["sequence"] for one in await kept(broker.bootstrap, mark)
        ] == [1]
        await admin.close()

    async def test_a_stop_with_kafka_away_ends(self, broker: KafkaUnderTest) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            async with Sending(broker.bootstrap) as sending:
                broker.pause()
                settled: list[Outcome] = []
                sending.publisher.submit(runs([record("never")]), settled.append)
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
        assert [
            json.loads(one.value)["sequence"] for one in await kept(broker.bootstrap, mark)
        ] == [1, 3]

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
