"""aiokafka's fetcher as the sink uses it: its private ways are still there, and mean the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from sinks.polled import PolledConsumer, polled
from sinks.sink import Polled
from tests.kafka import KafkaUnderTest

POLL_SECONDS = 20.0
RECORDS = 300
HEADERS = [("traceparent", b"00-1"), ("empty", b"")]


@pytest.fixture
def topic(kafka: KafkaUnderTest) -> str:
    return kafka.topic()


@pytest.fixture
async def place(kafka: KafkaUnderTest, topic: str) -> TopicPartition:
    """Records in several batches: with and without key, value, headers."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    try:
        for number in range(RECORDS):
            await producer.send(
                topic,
                key=b"key" if number % 2 == 0 else None,
                value=None if number % 14 == 0 else b"%d" % number,
                headers=HEADERS if number % 3 == 0 else [],
                timestamp_ms=1_795_497_548_000 + number,
                partition=0,
            )
            if number % 50 == 49:
                await producer.flush()
    finally:
        await producer.stop()
    return TopicPartition(topic, 0)


@pytest.fixture
async def consumer(kafka: KafkaUnderTest, place: TopicPartition) -> AsyncIterator[PolledConsumer]:
    one = PolledConsumer(bootstrap_servers=kafka.bootstrap)
    await one.start()
    one.assign([place])
    one.seek(place, 0)
    yield one
    await one.stop()


async def _poll(consumer: PolledConsumer, place: TopicPartition) -> list[Polled]:
    found: list[Polled] = []
    async with asyncio.timeout(POLL_SECONDS):
        while not found or found[-1].offset < RECORDS - 1:
            for records in (await consumer.poll(place, timeout_ms=200)).values():
                found += records
    return found


async def test_records_are_what_aiokafkas_own_would_be(
    kafka: KafkaUnderTest, consumer: PolledConsumer, place: TopicPartition
) -> None:
    own: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap)
    await own.start()
    try:
        own.assign([place])
        own.seek(place, 0)
        async with asyncio.timeout(POLL_SECONDS):
            theirs = [await own.getone(place) for _ in range(RECORDS)]
    finally:
        await own.stop()

    ours = await _poll(consumer, place)

    assert {type(one) for one in ours} == {Polled}
    assert ours == [polled(one) for one in theirs]
    assert ours[0].headers == tuple(HEADERS)
    assert (ours[0].value, ours[0].key, ours[1].key) == (None, b"key", None)


async def test_its_position_goes_on_and_back(
    consumer: PolledConsumer, place: TopicPartition
) -> None:
    first = await _poll(consumer, place)
    position = await consumer.position(place)
    consumer.seek(place, RECORDS - 2)
    again = await _poll(consumer, place)

    assert position == RECORDS
    assert again == first[-2:]
