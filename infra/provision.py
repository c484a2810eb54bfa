"""Kafka topics as the contract says them: made where missing, compared where they are.

A topic that differs is an error, never changed: a changed partition count would move devices.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from msgspec import Struct

from gateway.contract.kafka_refusal import knock
from gateway.contract.topics import APP_EVENTS, TOPICS, Topic

POLL_SECONDS = 0.1
MIN_ISR_REPLICATION = 3  # from this factor on, two replicas must have a record before its ack


class ProvisionError(Exception):
    """Kafka cannot be reached, or a topic differs. The text names topic, setting and values."""


class ProvisionOptions(Struct, frozen=True, kw_only=True):
    bootstrap: str
    security: dict[str, Any] = {}  # aiokafka's options for TLS and SASL
    replication_factor: int = 3
    partitions: int = APP_EVENTS.partitions  # of app-events
    retention_ms: int = APP_EVENTS.retention_ms  # of app-events
    timeout_seconds: float = 30.0


def wanted_topics(options: ProvisionOptions) -> list[Topic]:
    """The topic table with this deployment's partitions and retention."""
    return [
        topic
        if topic.name != APP_EVENTS.name
        else Topic(
            name=topic.name,
            partitions=options.partitions,
            retention_ms=options.retention_ms,
            max_message_bytes=topic.max_message_bytes,
            cleanup_policy=topic.cleanup_policy,
            meaning=topic.meaning,
        )
        for topic in TOPICS
    ]


def settings_of(topic: Topic, replication_factor: int) -> dict[str, str]:
    """The topic's configuration as Kafka names it."""
    in_sync = 2 if replication_factor >= MIN_ISR_REPLICATION else 1
    return {
        "cleanup.policy": topic.cleanup_policy,
        "retention.ms": str(topic.retention_ms),
        "max.message.bytes": str(topic.max_message_bytes),
        "min.insync.replicas": str(in_sync),
        "unclean.leader.election.enable": "false",
    }


def difference(
    topic: Topic, replication_factor: int, partitions: int, settings: dict[str, str]
) -> str | None:
    """What of an existing topic is not as it should be; None when all is."""
    if partitions != topic.partitions:
        return f"topic {topic.name}: partitions is {partitions}, expected {topic.partitions}"
    for name, expected in settings_of(topic, replication_factor).items():
        found = settings.get(name)
        if found != expected:
            return f"topic {topic.name}: {name} is {found}, expected {expected}"
    return None


async def provision(options: ProvisionOptions) -> list[str]:
    """Make what is missing; the names of the topics made now. Raises ProvisionError."""
    reason = await knock(options.bootstrap, options.security, create_conn, options.timeout_seconds)
    if reason is not None:
        raise ProvisionError(reason)
    admin = AIOKafkaAdminClient(bootstrap_servers=options.bootstrap, **options.security)
    try:
        async with asyncio.timeout(options.timeout_seconds):
            await admin.start()
            try:
                return await _provision(admin, options)
            finally:
                await admin.close()
    except TimeoutError:
        text = f"Kafka at {options.bootstrap} did not answer in {options.timeout_seconds:g} s"
        raise ProvisionError(text) from None
    except (KafkaError, OSError) as error:
        raise ProvisionError(f"Kafka at {options.bootstrap}: {error}") from None


async def _provision(admin: AIOKafkaAdminClient, options: ProvisionOptions) -> list[str]:
    existing = set(await admin.list_topics())
    made: list[str] = []
    for topic in wanted_topics(options):
        if topic.name not in existing and await _create(admin, topic, options.replication_factor):
            made.append(topic.name)
            continue
        wrong = difference(
            topic,
            options.replication_factor,
            await _partitions(admin, topic.name),
            await _settings(admin, topic.name),
        )
        if wrong:
            raise ProvisionError(wrong)
    return made


async def _create(admin: AIOKafkaAdminClient, topic: Topic, replication_factor: int) -> bool:
    new = NewTopic(
        topic.name,
        topic.partitions,
        replication_factor,
        topic_configs=settings_of(topic, replication_factor),
    )
    response = await admin.create_topics([new])
    for name, code, *text in response.topic_errors:
        error = for_code(code)
        if error is TopicAlreadyExistsError:
            return False  # somebody else was quicker: compare then
        if code:
            raise ProvisionError(f"topic {name}: {error.__name__} {' '.join(map(str, text))}")
    return True


async def _partitions(admin: AIOKafkaAdminClient, name: str) -> int:
    """How many there are; a topic that somebody is just making shows none for a moment."""
    while True:
        (described,) = await admin.describe_topics([name])
        if described["partitions"]:
            return len(described["partitions"])
        await asyncio.sleep(POLL_SECONDS)


async def _settings(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    (response,) = await admin.describe_configs([resource])
    return {entry[0]: entry[1] for entry in response.resources[0][4]}
