"""What pinned commits need of aiokafka's private coordinator, against a real broker.

A new release of aiokafka passes these tests before it passes `pyproject.toml`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from sinks.intent import IDLE, Committed, Fenced, GroupOffsets, Pin, intent_metadata
from tests.kafka import KafkaUnderTest

JOIN_SECONDS = 20.0


class Member:
    """A consumer in a group of its own, with the group's offsets."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.place = TopicPartition(topic, 0)
        self.consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=f"group-{uuid4()}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        self.admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self.offsets = GroupOffsets(self.consumer, self.admin, self.consumer._group_id)

    async def start(self) -> None:
        await self.admin.start()
        await self.consumer.start()
        async with asyncio.timeout(JOIN_SECONDS):
            while not self.consumer.assignment():
                await self.consumer.getmany(timeout_ms=100)

    async def close(self) -> None:
        await self.consumer.stop()
        await self.admin.close()

    async def commit(self, pin: Pin, offset: int, metadata: str) -> None:
        await self.offsets.commit(self.place, pin, offset, metadata)


@pytest.fixture
def topic(kafka: KafkaUnderTest) -> str:
    return kafka.topic()


@pytest.fixture
async def member(kafka: KafkaUnderTest, topic: str) -> AsyncIterator[Member]:
    one = Member(kafka.bootstrap, topic)
    await one.start()
    yield one
    await one.close()


async def test_the_coordinator_has_what_pinned_commits_use(member: Member) -> None:
    coordinator = member.consumer._coordinator

    assert isinstance(coordinator.generation, int)
    assert isinstance(coordinator.member_id, str)
    for name in ("ensure_coordinator_known", "_send_req"):
        assert inspect.iscoroutinefunction(getattr(coordinator, name))
    for name in ("coordinator_dead", "request_rejoin", "reset_generation"):
        assert callable(getattr(coordinator, name))


async def test_a_pin_is_a_joined_members_generation_and_id(member: Member) -> None:
    pin = member.offsets.pin()

    assert pin.generation >= 1
    assert pin.member_id


async def test_a_group_without_offsets_has_none(member: Member) -> None:
    assert await member.offsets.read(member.place) == Committed(-1, None, is_ours=False)


async def test_an_intent_is_read_back_as_it_was_committed(member: Member) -> None:
    await member.commit(member.offsets.pin(), 7, intent_metadata(19))
    announced = await member.offsets.read(member.place)
    await member.commit(member.offsets.pin(), 19, IDLE)
    idle = await member.offsets.read(member.place)

    assert announced == Committed(7, 19, is_ours=True)
    assert idle == Committed(19, None, is_ours=True)


async def test_a_stale_generation_is_refused(member: Member) -> None:
    pin = member.offsets.pin()

    with pytest.raises(Fenced):
        await member.commit(Pin(pin.generation - 1, pin.member_id), 7, IDLE)


async def test_the_generation_alone_is_no_pin(member: Member) -> None:
    pin = member.offsets.pin()

    with pytest.raises(Fenced):
        await member.commit(Pin(pin.generation, "another-member"), 7, IDLE)


async def test_a_member_that_left_is_refused_although_its_group_is_empty(
    kafka: KafkaUnderTest, topic: str
) -> None:
    member = Member(kafka.bootstrap, topic)
    await member.start()
    try:
        pin = member.offsets.pin()
        await member.commit(pin, 7, IDLE)
        await member.consumer._coordinator._maybe_leave_group()

        with pytest.raises(Fenced):
            await member.commit(pin, 3, IDLE)
        after = await member.offsets.read(member.place)
    finally:
        await member.close()

    assert after.offset == 7


async def test_a_fence_under_the_members_own_pin_makes_it_join_again(member: Member) -> None:
    coordinator = member.consumer._coordinator
    pin = member.offsets.pin()
    coordinator.generation = pin.generation + 5  # as after a lost answer: the broker knows better
    stale = member.offsets.pin()

    with pytest.raises(Fenced):
        await member.commit(stale, 7, IDLE)

    assert member.offsets.pin() != stale
    async with asyncio.timeout(JOIN_SECONDS):
        while member.offsets.pin().generation <= pin.generation:
            await member.consumer.getmany(timeout_ms=100)
    await member.commit(member.offsets.pin(), 7, IDLE)
