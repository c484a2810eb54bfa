"""Alerts over a real Kafka to a real mail server and webhook."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from gateway.contract.topics import APP_ALERTS_DEAD, APP_EVENTS
from gateway.runtime import load_config
from sinks.alerts.config import PREFIXES, AlertsConfig
from sinks.alerts.rule_file import read_rules
from sinks.alerts.rules import RuleBook
from sinks.alerts.run import run_alerts
from sinks.alerts.state import State
from sinks.alerts.state_log import StateLog
from tests.builders import make_record
from tests.kafka import KafkaUnderTest, log_length, read_topic, until
from tests.processes import Process
from tests.receivers import (
    PASSWORD,
    USER,
    Authority,
    HookServer,
    MailServer,
    hook_server,
    mail_server,
)

SECRET = b"a secret of thirty-two bytes....."
DEVICES, GROUPS = 40, 25


class AlertsRig:
    """One rule file and one consumer group, between Kafka and those who are told."""

    def __init__(
        self, kafka: KafkaUnderTest, mail: MailServer, hook: HookServer, ca: Path, folder: Path
    ) -> None:
        self.kafka = kafka
        self.mail = mail
        self.hook = hook
        self.apps = [f"app-{uuid4()}" for _ in range(3)]
        self.looping = f"app-{uuid4()}"
        self._ca = ca
        self._folder = folder
        self._group = f"alerts-{uuid4()}"
        self._started: list[Process] = []
        (folder / "secret").write_text("whsec_" + b64encode(SECRET).decode())
        self._write_rules()

    def _write_rules(self) -> None:
        self.channels = {"mail": f"mail-{uuid4()}", "hook": f"hook-{uuid4()}"}
        text = f"""
            [channel.{self.channels["mail"]}]
            type = "email"
            to = ["oncall@example.com"]

            [channel.{self.channels["hook"]}]
            type = "webhook"
            url = "https://localhost:{self.hook.port}/hook"
            secret_file = "secret"

            [rule.new-crash]
            type = "new_crash_group"
            apps = {self.apps}
            channels = ["{self.channels["mail"]}", "{self.channels["hook"]}"]

            [rule.loop]
            type = "crash_loop"
            apps = ["{self.looping}"]
            channels = ["{self.channels["mail"]}"]
        """
        (self._folder / "alerts.toml").write_text(text)

    def environment(self, **options: object) -> dict[str, str]:
        every: dict[str, object] = {
            "rules": self._folder / "alerts.toml",
            "group": self._group,
            "session_timeout_ms": 3000,
            "retry_most_seconds": 0.5,
            "smtp_port": self.mail.port,
            "smtp_user": USER,
            "smtp_password": PASSWORD,
            "smtp_from": "alerts@example.com",
            "webhook_allow_loopback": True,
            "ca_path": self._ca,
            **options,
        }
        named = {f"TELEMETRY_ALERTS_{name.upper()}": str(value) for name, value in every.items()}
        return {"TELEMETRY_KAFKA_BOOTSTRAP": self.kafka.bootstrap, **named}

    async def start(self) -> Process:
        log = self._folder / f"alerts-{len(self._started)}.log"
        process = Process(["sinks", "run", "alerts"], self.environment(), "alerts ready", log)
        self._started.append(process)
        await asyncio.to_thread(process.wait_ready)
        return process

    def close(self) -> None:
        for process in self._started:
            if not process.is_dead():
                process.kill()

    async def send_crashes(self, app: str, count: int) -> None:
        """As many crashes of one release, of many devices and groups."""
        crashes = [_crash(app, number) for number in range(count)]
        await self._send([(b"%d" % (number % DEVICES), one) for number, one in enumerate(crashes)])

    async def send_starts(self, app: str, count: int) -> None:
        """A device opens the app, which crashes at once, again and again."""
        records: list[tuple[bytes, bytes]] = []
        for _ in range(count):
            same = {"session_id": str(uuid4()), "crash_group": 0}
            records.append((b"1", _crash(app, 1, event_type="app_open", **same)))
            records.append((b"1", _crash(app, 1, **same)))
        await self._send(records)

    async def _send(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Until the group has committed all there is."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap)
        await producer.start()
        try:
            sent = [await producer.send(APP_EVENTS.name, value, key=key) for key, value in records]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()
        end = await log_length(self.kafka.bootstrap, APP_EVENTS.name)
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap)
        await admin.start()
        try:
            async with asyncio.timeout(60):
                while True:
                    if await self._committed(admin) >= end:
                        return
                    await asyncio.sleep(0.1)
        finally:
            await admin.close()

    async def _committed(self, admin: AIOKafkaAdminClient) -> int:
        places = [TopicPartition(APP_EVENTS.name, one) for one in range(APP_EVENTS.partitions)]
        found = await admin.list_consumer_group_offsets(self._group, None, places)
        return sum(max(0, one.offset) for one in found.values())

    async def told(self, *apps: str) -> Sequence[str]:
        """The mails about `apps`, once one about the last of them is there."""
        await until(lambda: bool(self.mail.subjects(apps[-1])), 30, f"a mail about {apps[-1]}")
        return self.mail.subjects(*apps)


def _crash(app: str, number: int, **changes: Any) -> bytes:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    crash = {
        "event_id": str(uuid4()),
        "app_id": app,
        "event_type": "app_crash",
        "device_id": str(number % DEVICES),
        "ts": now,
        "received_at": now,
        "crash_type": "java.lang.IllegalStateException",
        "crash_stack": "at com.example.Basket.total(Basket.kt:42)\nat com.example.Main.run",
        "crash_group": number % GROUPS + 1,
        "crash_fatal": True,
    }
    return json.dumps(make_record(**{**crash, **changes})).encode()


@pytest.fixture
async def rig(kafka: KafkaUnderTest, tmp_path: Path) -> AsyncIterator[AlertsRig]:
    authority = Authority(tmp_path)
    async with mail_server(authority) as mail, hook_server(authority) as hook:
        under_test = AlertsRig(kafka, mail, hook, authority.path, tmp_path)
        yield under_test
        under_test.close()


async def test_a_thousand_crashes_make_one_mail_also_over_a_kill(rig: AlertsRig) -> None:
    first, second, third = rig.apps
    process = await rig.start()
    await rig.send_crashes(first, 1000)
    await rig.send_crashes(second, 1)

    assert len(await rig.told(first, second)) == 2
    await until(lambda: len(rig.hook.posts) == 2, 30, "the webhook's calls")

    process.kill()
    process = await rig.start()
    await rig.send_crashes(first, 1000)
    await rig.send_crashes(third, 1)

    assert len(await rig.told(first, second, third)) == 3
    await until(lambda: len(rig.hook.posts) >= 3, 30, "the webhook's calls")
    assert len({headers["webhook-id"] for headers, _ in rig.hook.posts}) == len(rig.hook.posts) == 3
    assert process.stop() == 0


async def test_another_process_takes_over(rig: AlertsRig) -> None:
    """Both are killed in turn, so the one that watches is one of them."""
    first, second, third = rig.apps
    one, other = await rig.start(), await rig.start()
    await rig.send_crashes(first, 1)
    one.kill()
    await rig.send_crashes(second, 1)
    await rig.start()
    other.kill()
    await rig.send_crashes(first, 1)
    await rig.send_crashes(third, 1)

    assert len(await rig.told(first, second, third)) == 3


async def test_a_loop_is_counted_over_a_kill(rig: AlertsRig) -> None:
    """What is not in the state is read again from as far back as it matters, and told once."""
    process = await rig.start()
    await rig.send_starts(rig.looping, 2)
    assert rig.mail.mails == []

    process.kill()
    await rig.start()
    await rig.send_starts(rig.looping, 1)

    (subject,) = await rig.told(rig.looping)
    assert subject.endswith("crash loop: 3 crashes at the start of one device")


class Forgetful(StateLog):
    """Knows when it was born and what is to be sent, and nothing else."""

    async def load(self) -> State:
        state = await super().load()
        forgetful = State()
        forgetful.born_ms = state.born_ms
        return forgetful


@pytest.mark.parametrize(("log_type", "mails"), [(StateLog, 1), (Forgetful, 2)])
async def test_it_is_the_state_in_kafka_that_keeps_a_restart_from_repeating(
    rig: AlertsRig, log_type: type[StateLog], mails: int
) -> None:
    """The second case is the control. No other rule makes it read again what it has seen."""
    first, sentinel, other = rig.apps
    for crashes in (sentinel, other):
        async with asyncio.TaskGroup() as tasks:
            stop, ready = asyncio.Event(), asyncio.Event()
            config, whole = _composed(rig)
            book = RuleBook({"new-crash": whole.rules["new-crash"]}, whole.channels)
            tasks.create_task(run_alerts(config, book, None, stop, ready.set, log_type))
            await asyncio.wait_for(ready.wait(), 30)
            await rig.send_crashes(first, 50)
            await rig.send_crashes(crashes, 1)
            await rig.told(crashes)
            stop.set()

    assert len(rig.mail.subjects(first)) == mails


def _composed(rig: AlertsRig) -> tuple[AlertsConfig, RuleBook]:
    config = load_config(AlertsConfig, PREFIXES, rig.environment())
    return config, read_rules(config.rules)


async def test_a_webhook_that_is_down_delays_its_own_alerts_and_is_given_up(rig: AlertsRig) -> None:
    """Neither the mail nor the position of the group waits for it."""
    first, second, _ = rig.apps
    rig.hook.status = 503
    config, book = _composed(rig)
    config = msgspec.structs.replace(config, give_up_minutes=1 / 60)
    async with asyncio.TaskGroup() as tasks:
        stop, ready = asyncio.Event(), asyncio.Event()
        tasks.create_task(run_alerts(config, book, None, stop, ready.set))
        await asyncio.wait_for(ready.wait(), 30)
        await rig.send_crashes(first, 1)

        assert len(await rig.told(first)) == 1
        dead = await _wait_dead(rig)
        rig.hook.status = 204
        await rig.send_crashes(second, 1)
        await until(lambda: len(rig.hook.posts) == 1, 30, "the next call")
        stop.set()

    assert dead["rule"] == "new-crash"
    assert dead["finding"]["app"] == first
    assert dead["reason"] == "given up: webhook: answered 503"
    assert json.loads(rig.hook.posts[0][1])["app"] == second


async def _wait_dead(rig: AlertsRig) -> dict[str, Any]:
    """The first dead alert of the rig's webhook."""
    async with asyncio.timeout(30):
        while True:
            for record in await read_topic(rig.kafka.bootstrap, APP_ALERTS_DEAD.name):
                headers = {name: value.decode() for name, value in record.headers}
                if headers["channel"] == rig.channels["hook"]:
                    return {**json.loads(record.value or b""), "reason": headers["reason"]}
            await asyncio.sleep(0.1)
