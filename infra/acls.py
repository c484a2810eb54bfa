"""What each process may do in Kafka, and nothing else: one table, as ACLs and as commands.

Write and Read bring Describe with them. An idempotent producer needs no right of the cluster since
Kafka 2.8: whoever may write to some topic gets its producer id.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from enum import IntEnum
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest
from msgspec import Struct

from gateway.contract.kafka_refusal import knock
from gateway.contract.topics import (
    ALERTS_GROUP,
    APP_ALERTS_DEAD,
    APP_ALERTS_STATE,
    APP_EVENTS,
    APP_EVENTS_DEAD,
    APP_FORGOTTEN,
    CLICKHOUSE_SINK_GROUP,
    TOPICS,
)

ANY_HOST = "*"
ALLOW = 3
CLOSE_SECONDS = 1.0


class Kind(IntEnum):
    """Of a resource, by Kafka's numbers."""

    TOPIC = 2
    GROUP = 3


class Pattern(IntEnum):
    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10


class Acl(Struct, frozen=True):
    """One thing that is allowed."""

    operation: Operation
    kind: Kind
    name: str
    pattern: Pattern = Pattern.LITERAL


class AclError(Exception):
    """Kafka cannot be reached, or does not take an ACL. The text says which."""


def _topics(operation: Operation, *names: str) -> list[Acl]:
    return [Acl(operation, Kind.TOPIC, name) for name in names]


ACLS: Mapping[str, list[Acl]] = {
    "gateway": [
        *_topics(Operation.WRITE, APP_EVENTS.name, APP_EVENTS_DEAD.name),
        *_topics(Operation.READ, APP_FORGOTTEN.name),
    ],
    "sink": [
        *_topics(Operation.READ, APP_EVENTS.name, APP_EVENTS_DEAD.name),
        *_topics(Operation.WRITE, APP_EVENTS_DEAD.name),
        Acl(Operation.READ, Kind.GROUP, CLICKHOUSE_SINK_GROUP),
    ],
    "alerts": [
        *_topics(Operation.READ, APP_EVENTS.name, APP_ALERTS_STATE.name),
        *_topics(Operation.WRITE, APP_ALERTS_STATE.name, APP_ALERTS_DEAD.name),
        Acl(Operation.READ, Kind.GROUP, ALERTS_GROUP),
    ],
    "legacy": [
        Acl(Operation.READ, Kind.TOPIC, "legacy.", Pattern.PREFIXED),
        *_topics(Operation.WRITE, APP_EVENTS_DEAD.name),
        Acl(Operation.READ, Kind.GROUP, "telemetry-legacy"),
    ],
    # replay, dead-letters, forget, and `telemetry-loadtest verify`
    "operator": [
        *_topics(Operation.READ, APP_EVENTS.name, APP_EVENTS_DEAD.name, APP_FORGOTTEN.name),
        *_topics(Operation.WRITE, APP_EVENTS.name, APP_EVENTS_DEAD.name, APP_FORGOTTEN.name),
        Acl(Operation.DESCRIBE, Kind.GROUP, CLICKHOUSE_SINK_GROUP),
    ],
    # any further consumer, in groups whose names begin with `reader-`
    "reader": [
        *_topics(Operation.READ, APP_EVENTS.name),
        Acl(Operation.READ, Kind.GROUP, "reader-", Pattern.PREFIXED),
    ],
    "provision": [
        *(
            acl
            for operation in (Operation.CREATE, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS)
            for acl in _topics(operation, *(topic.name for topic in TOPICS))
        ),
    ],
}


def as_commands(acls: Iterable[tuple[str, Acl]]) -> list[str]:
    """Lines for Kafka's own `kafka-acls.sh`, one for each (principal, ACL)."""
    return [
        shlex.join(
            [
                *("kafka-acls.sh", "--bootstrap-server", "BROKER", "--add"),
                *("--allow-principal", principal, "--operation", _words(acl.operation)),
                *(f"--{acl.kind.name.lower()}", acl.name),
                *("--resource-pattern-type", acl.pattern.name.lower()),
            ]
        )
        for principal, acl in acls
    ]


def _words(operation: Operation) -> str:
    """As Kafka writes it: DescribeConfigs."""
    return operation.name.title().replace("_", "")


async def apply(
    bootstrap: str, security: Mapping[str, Any], acls: Iterable[tuple[str, Acl]], seconds: float
) -> None:
    """Make them; those that are there stay. Needs Alter on the cluster. Raises AclError."""
    reason = await knock(bootstrap, security, create_conn, seconds)
    if reason is not None:
        raise AclError(reason)
    client = AIOKafkaClient(bootstrap_servers=bootstrap, **security)
    try:
        async with asyncio.timeout(seconds):
            await client.bootstrap()
            for principal, acl in acls:
                await _create(client, principal, acl)
    except TimeoutError:
        raise AclError(f"Kafka at {bootstrap} did not answer in {seconds:g} s") from None
    except (KafkaError, OSError) as error:
        raise AclError(f"Kafka at {bootstrap}: {error}") from None
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await client.close()


async def _create(client: AIOKafkaClient, principal: str, acl: Acl) -> None:
    request = CreateAclsRequest(
        acl.kind, acl.name, acl.pattern, principal, ANY_HOST, acl.operation, ALLOW
    )
    answer = await client.send(client.get_random_node(), request)
    for code, text in answer.creation_responses:
        if code:
            what = f"{principal} {_words(acl.operation)} {acl.kind.name.lower()} {acl.name}"
            raise AclError(f"{what}: {for_code(code).__name__} {text or ''}".rstrip())
