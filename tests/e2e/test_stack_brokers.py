"""The embedded stack on three brokers: one killed under POSTs comes back, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from gateway.contract.topics import APP_EVENTS
from tests.builders import make_batch, make_event
from tests.kafka import wait_until
from tests.stack import PORTS, StackUnderTest

SETTLE_SECONDS = 120.0

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    under_test = StackUnderTest(tmp_path_factory.mktemp("stack"))
    done = under_test.infra("up", "--detach", "--brokers", "3", *PORTS)
    assert done.returncode == 0, done.stderr
    yield under_test
    under_test.down()


def keep_one(stack: StackUnderTest) -> str:
    """POST an event until it is kept; its id."""
    event_id = str(uuid4())
    batch = make_batch(make_event(event_id=event_id))
    wait_until(lambda: stack.post(batch) == 200, SETTLE_SECONDS, "an answer of 200")
    return event_id


async def described(bootstrap: str) -> tuple[set[int], str]:
    """How many copies the partitions of app-events have, and how many must be in sync."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (topic,) = await admin.describe_topics([APP_EVENTS.name])
        resource = ConfigResource(ConfigResourceType.TOPIC, APP_EVENTS.name)
        (answer,) = await admin.describe_configs([resource])
    finally:
        await admin.close()
    settings = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    copies = {len(one["replicas"]) for one in topic["partitions"]}
    return copies, settings["min.insync.replicas"]


def test_topics_have_three_copies_of_which_two_must_be_in_sync(stack: StackUnderTest) -> None:
    kafka = stack.status()["kafka"]

    assert kafka["state"] == "running"
    assert len(set(kafka["pids"])) == 3
    assert len(set(kafka["bootstrap"].split(","))) == 3
    assert asyncio.run(described(kafka["bootstrap"])) == ({3}, "2")


def test_a_killed_broker_comes_back_and_nothing_is_lost(stack: StackUnderTest) -> None:
    before = stack.status()["kafka"]
    kept = [keep_one(stack)]

    psutil.Process(before["pids"][1]).kill()

    wait_until(lambda: stack.status()["kafka"]["state"] != "running", 30, "a state that tells")
    assert "kafka-2" in stack.status()["kafka"]["state"]
    kept += [keep_one(stack) for _ in range(5)]
    wait_until(lambda: stack.status()["kafka"]["state"] == "running", SETTLE_SECONDS, "the broker")
    kept.append(keep_one(stack))
    after = stack.status()["kafka"]
    assert after["bootstrap"] == before["bootstrap"]
    assert after["pids"][1] != before["pids"][1]
    assert (after["pids"][0], after["pids"][2]) == (before["pids"][0], before["pids"][2])
    wait_until(
        lambda: all(len(stack.query("event_by_id", event_id=one)) == 1 for one in kept),
        SETTLE_SECONDS,
        "the rows",
    )


def test_another_number_of_brokers_is_refused_and_a_restart_keeps_the_ports(
    stack: StackUnderTest,
) -> None:
    before = stack.status()["kafka"]
    event_id = keep_one(stack)
    assert stack.down().returncode == 0
    assert [pid for pid in before["pids"] if psutil.pid_exists(pid)] == []

    done = stack.infra("up", "--detach", "--brokers", "1")

    assert done.returncode == 2
    assert "--brokers is 1, but this stack was made with 3" in done.stderr
    stack.up()
    assert stack.status()["kafka"]["bootstrap"] == before["bootstrap"]
    wait_until(
        lambda: len(stack.query("event_by_id", event_id=event_id)) == 1, SETTLE_SECONDS, "the row"
    )
