"""A real Apache Kafka for tests: started once, paused, killed and brought back at will."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord

from infra.local import kafka as local_kafka
from infra.local.ports import free_ports
from infra.provision import ProvisionOptions, provision

START_SECONDS = 120.0


class KafkaUnderTest:
    """One broker in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        port, controller_port = free_ports(2)
        self.broker = local_kafka.Broker(
            folder=folder / "kafka",
            port=port,
            controller_port=controller_port,
            log_file=folder / "kafka.log",
        )
        self._process: subprocess.Popen[bytes] | None = None
        local_kafka.prepare(self.broker)

    @property
    def bootstrap(self) -> str:
        return self.broker.bootstrap

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._process = subprocess.Popen(
            local_kafka.command(self.broker), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        asyncio.run(until_answers(self.bootstrap))

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    def stop(self) -> None:
        assert self._process is not None
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def topic(self, partitions: int = 1) -> str:
        """A fresh topic of its own."""
        name = f"test-{uuid4()}"
        asyncio.run(make_topic(self.bootstrap, name, partitions))
        return name


async def make_topic(bootstrap: str, name: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1)])
    finally:
        await admin.close()


async def until_answers(bootstrap: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        client = AIOKafkaClient(bootstrap_servers=bootstrap)
        try:
            await client.bootstrap()
            return
        except Exception as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Kafka did not start: {error}") from error
            await asyncio.sleep(0.1)
        finally:
            await client.close()


async def read_topic(bootstrap: str, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
    """Everything in a topic, in each partition's order."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partitions = await _partitions(bootstrap, topic)
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for one in partitions:
            consumer.seek(one, 0)
        found: list[ConsumerRecord[bytes, bytes]] = []
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
    finally:
        await consumer.stop()
    return sorted(found, key=lambda one: (one.partition, one.offset))


async def _partitions(bootstrap: str, topic: str) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic])
    finally:
        await admin.close()
    return [TopicPartition(topic, one["partition"]) for one in described["partitions"]]


def wait_until(
    fact: Callable[[], bool], seconds: float = 30.0, what: str = "the condition"
) -> None:
    """Poll until a fact holds; fail when it never does."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds:g} s")
        time.sleep(0.05)


async def until(
    fact: Callable[[], bool], seconds: float = 60.0, what: str = "the condition"
) -> None:
    """`wait_until` for tests that run in the loop of what they wait for."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds:g} s")
        await asyncio.sleep(0.02)


def provision_topics(options: ProvisionOptions) -> None:
    asyncio.run(provision(options))


async def log_length(bootstrap: str, topic: str) -> int:
    """The sum of a topic's end offsets."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(await _partitions(bootstrap, topic))
    finally:
        await consumer.stop()
    return sum(ends.values())
