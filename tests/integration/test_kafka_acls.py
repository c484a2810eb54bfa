"""Each process does its work in a Kafka that forbids everything but its ACLs, and cannot do it with
any one of them less."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator, Sequence

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import DeleteAclsRequest

from gateway.contract.kafka_access import KafkaAccess
from gateway.contract.topics import APP_ALERTS_DEAD, APP_EVENTS, APP_EVENTS_DEAD
from infra.acls import ACLS, ALLOW, ANY_HOST, Acl, Operation, apply
from infra.provision import ProvisionOptions, provision
from sinks.wishes import write_wish
from tests.kafka import make_topic
from tests.kafka_errands import ERRANDS, LEGACY, a_wish
from tests.kafka_secured import PLAIN_PASSWORD, SecuredKafka

WORKS_SECONDS = 30.0  # until ACLs that were just made or taken away are known everywhere
FAILS_SECONDS = 3.0  # for an errand that cannot be run

# An errand that is given up leaves clients in the middle of their start: collected here, unheard.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def given_up() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    broker = SecuredKafka(tmp_path_factory.mktemp("kafka"))
    broker.start()
    asyncio.run(_fill(broker.bootstrap))
    yield broker
    broker.stop()


async def _fill(bootstrap: str) -> None:
    await provision(ProvisionOptions(bootstrap=bootstrap, replication_factor=1))
    await make_topic(bootstrap, LEGACY, 1)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for topic in (APP_EVENTS.name, APP_EVENTS_DEAD.name, LEGACY):
            await producer.send_and_wait(topic, b"{}", partition=0)
    finally:
        await producer.stop()
    await write_wish({"bootstrap_servers": bootstrap}, *a_wish())


def access_of(kafka: SecuredKafka, user: str) -> KafkaAccess:
    return KafkaAccess(
        kafka_bootstrap=kafka.sasl,
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username=user,
        kafka_sasl_password=PLAIN_PASSWORD,
        kafka_ssl_ca_path=str(kafka.authority.ca_file),
    )


def make(kafka: SecuredKafka, user: str, acls: Sequence[Acl]) -> None:
    named = [(f"User:{user}", one) for one in acls]
    asyncio.run(apply(kafka.bootstrap, {}, named, 10.0))


async def _take_away(bootstrap: str, user: str, acl: Acl) -> None:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    request = DeleteAclsRequest(
        acl.kind, acl.name, acl.pattern, f"User:{user}", ANY_HOST, acl.operation, ALLOW
    )
    try:
        answer = await client.send(client.get_random_node(), request)
    finally:
        await client.close()
    ((code, _, matching),) = answer.filter_responses
    assert (code, len(matching)) == (0, 1)


def failure_of(kafka: SecuredKafka, process: str) -> Exception | None:
    async def run() -> None:
        async with asyncio.timeout(FAILS_SECONDS):
            await ERRANDS[process](access_of(kafka, process))

    try:
        asyncio.run(run())
    except Exception as error:  # noqa: BLE001  # whatever keeps it from its work
        return error
    return None


def until_it(kafka: SecuredKafka, process: str, *, works: bool) -> None:
    deadline = time.monotonic() + WORKS_SECONDS
    while ((failure := failure_of(kafka, process)) is None) != works:
        if time.monotonic() > deadline:
            raise AssertionError(f"{process}: {failure!r}")


@pytest.mark.parametrize("process", [one for one in ACLS if one != "provision"])
def test_each_acl_is_needed_and_no_other(kafka: SecuredKafka, process: str) -> None:
    make(kafka, process, ACLS[process])
    until_it(kafka, process, works=True)

    for acl in ACLS[process]:
        asyncio.run(_take_away(kafka.bootstrap, process, acl))
        until_it(kafka, process, works=False)
        make(kafka, process, [acl])
    until_it(kafka, process, works=True)


@pytest.mark.parametrize("operation", [one.operation for one in ACLS["provision"][::5]])
def test_topics_are_made_with_exactly_these_acls(kafka: SecuredKafka, operation: Operation) -> None:
    acl = next(
        one
        for one in ACLS["provision"]
        if (one.operation, one.name) == (operation, APP_ALERTS_DEAD.name)
    )
    make(kafka, "provision", ACLS["provision"])
    until_it(kafka, "provision", works=True)
    asyncio.run(_take_away(kafka.bootstrap, "provision", acl))
    if operation is Operation.CREATE:
        asyncio.run(_delete_topic(kafka.bootstrap, acl.name))
    until_it(kafka, "provision", works=False)
    make(kafka, "provision", [acl])
    until_it(kafka, "provision", works=True)


async def _delete_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([name])
    finally:
        await admin.close()
