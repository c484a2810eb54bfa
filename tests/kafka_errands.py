"""What each process does in Kafka, once and in short, by the process's own code: for ACLs, which
must suffice for it, each of them. An errand raises when it cannot be run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from msgspec import structs

from gateway.config import GatewayConfig
from gateway.contract.forgotten import Kind, Wish, Wishes, mark_of
from gateway.contract.kafka_access import KafkaAccess
from gateway.contract.record import Run
from gateway.contract.topics import APP_ALERTS_STATE, APP_EVENTS, APP_EVENTS_DEAD
from gateway.forgotten import WishReader
from gateway.metrics import Metrics
from gateway.options import kafka_options
from gateway.publish.kafka import KafkaPublisher
from gateway.publish.publisher import Outcome
from gateway.runtime import now_ms
from infra.provision import ProvisionOptions, provision
from sinks.alerts.config import AlertsConfig
from sinks.alerts.kafka import AlertClients
from sinks.alerts.metrics import Metrics as AlertsMetrics
from sinks.alerts.state_log import StateLog
from sinks.config import SinkConfig
from sinks.deadletter import DeadLetterWriter
from sinks.intent import GroupOffsets, intent_metadata
from sinks.kafka_clients import KafkaClients, reach
from sinks.letters.dead_topic import DeadTopic
from sinks.rebuild.log_reader import LogReader
from sinks.sink import Bad, BadCode, Polled
from sinks.wishes import read_wishes, write_wish
from tests.kafka import until
from tests.sending import record

Errand = Callable[[KafkaAccess], Awaitable[None]]
LEGACY = "legacy.rows"
FOR_EVER = 3600.0


def _no_waits() -> Iterator[float]:
    """The first failure is the last."""
    return iter([FOR_EVER])


async def gateway(access: KafkaAccess) -> None:
    """Keep an event and a dead letter, and know who asked to be forgotten."""
    config = GatewayConfig(**structs.asdict(access), publish_timeout_seconds=2.0)
    publisher = KafkaPublisher(kafka_options(config), now_ms, Metrics())
    wishes = Wishes()
    living = [
        asyncio.create_task(publisher.run()),
        asyncio.create_task(WishReader(kafka_options(config), wishes).run()),
    ]
    try:
        for topic in (APP_EVENTS.name, APP_EVENTS_DEAD.name):
            settled: asyncio.Queue[Outcome] = asyncio.Queue()
            one = record("acl")
            publisher.submit([Run(topic, one.key, [one.value])], settled.put_nowait)
            assert (await settled.get()).kept is not None, topic
        await until(lambda: wishes.stops("acl", "device-1", ""))
    finally:
        await _end(living)


async def sink(access: KafkaAccess) -> None:
    """Read both topics in the group, commit, and put a record aside."""
    config = SinkConfig(**structs.asdict(access))
    clients = await KafkaClients.start(config, None)
    letters = DeadLetterWriter(reach(config), _no_waits)
    try:
        clients.consumer.subscribe([APP_EVENTS.name, APP_EVENTS_DEAD.name])
        wanted = {APP_EVENTS.name, APP_EVENTS_DEAD.name}
        while wanted:
            for place in await clients.consumer.getmany(timeout_ms=500):
                wanted.discard(place.topic)
        offsets = GroupOffsets(clients.consumer, clients.admin, config.group)
        place = min(clients.consumer.assignment())
        await offsets.commit(place, offsets.pin(), 0, intent_metadata(1))
        assert (await offsets.read(place)).end == 1
        await letters.bury(APP_EVENTS.name, 0, [_bad()])
    finally:
        await letters.close()
        await clients.close()


async def alerts(access: KafkaAccess) -> None:
    """Read events in the group and the state, write the state and a dead alert."""
    config = AlertsConfig(**structs.asdict(access))
    clients = AlertClients(config, None)
    state_log = StateLog(reach(config), AlertsMetrics())
    await clients.start()
    try:
        await state_log.load()
        await state_log._send([(APP_ALERTS_STATE.name, b"acl", None, [])])
        await state_log.bury(b"{}", {})
        clients.consumer.subscribe([APP_EVENTS.name])
        while not await clients.consumer.getmany(timeout_ms=500):
            await clients.consumer.seek_to_beginning()
        await clients.offsets.fetch(sorted(clients.consumer.assignment()))
    finally:
        await state_log.close()
        await clients.close()


async def legacy(access: KafkaAccess) -> None:
    """Read rows in the group, commit, and put one aside."""
    letters = DeadLetterWriter(reach(access), _no_waits)
    try:
        await _consume(access, LEGACY, "telemetry-legacy")
        await letters.bury(LEGACY, 0, [_bad()])
    finally:
        await letters.close()


async def operator(access: KafkaAccess) -> None:
    """What `replay`, `dead-letters` and `forget` do."""
    await write_wish(reach(access), *a_wish())
    await read_wishes(reach(access))
    reader = await LogReader.open(reach(access))
    try:
        places = await reader.partitions(APP_EVENTS.name)
        ends = await reader.ends(places)
        place = max(ends, key=lambda one: ends[one])
        assert await reader.read(place, 0, ends[place])
        await reader.committed("telemetry-clickhouse", places)
    finally:
        await reader.close()
    dead = await DeadTopic.open(reach(access))
    try:
        assert [one async for one in dead.letters()]
    finally:
        await dead.close()
    producer = AIOKafkaProducer(**reach(access), acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for topic in (APP_EVENTS.name, APP_EVENTS_DEAD.name):
            await producer.send_and_wait(topic, b"{}", partition=0)
    finally:
        await producer.stop()


async def reader(access: KafkaAccess) -> None:
    await _consume(access, APP_EVENTS.name, "reader-of-events")


async def make_topics(access: KafkaAccess) -> None:
    await provision(
        ProvisionOptions(
            bootstrap=access.kafka_bootstrap,
            security=access.client_security(),
            replication_factor=1,
            timeout_seconds=5.0,
        )
    )


async def _consume(access: KafkaAccess, topic: str, group: str) -> None:
    consumer: AIOKafkaConsumer[Any, Any] = AIOKafkaConsumer(
        topic, **reach(access), group_id=group, enable_auto_commit=False,
        auto_offset_reset="earliest",
    )  # fmt: skip
    try:
        await consumer.start()
        while not await consumer.getmany(timeout_ms=500):
            await consumer.seek_to_beginning()
        await consumer.commit()
    finally:
        await consumer.stop()


def a_wish() -> tuple[str, Wish]:
    return mark_of("acl", Kind.DEVICE, "device-1"), Wish("acl", Kind.DEVICE, now_ms())


def _bad() -> Bad:
    return Bad(Polled(0, b"k", str(uuid4()).encode(), now_ms()), BadCode.REFUSED, "acl", ("acl", 0))


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


ERRANDS: dict[str, Errand] = {
    "gateway": gateway,
    "sink": sink,
    "alerts": alerts,
    "legacy": legacy,
    "operator": operator,
    "reader": reader,
    "provision": make_topics,
}
