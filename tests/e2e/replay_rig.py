"""A sink under load on a ClickHouse of its own, and replays that may be killed at any statement."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import date
from itertools import repeat
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from gateway.contract.forgotten import Wishes
from gateway.contract.topics import APP_FORGOTTEN
from sinks.clickhouse import sql
from sinks.clickhouse.pauses import ClickHousePauses
from sinks.clickhouse.present import plain
from sinks.clickhouse.shadow import Shadow
from sinks.clickhouse.shadow_rows import ShadowRows
from sinks.clickhouse.sink import known_settings
from sinks.rebuild.log_reader import LogReader
from sinks.rebuild.log_writer import LogWriter
from sinks.rebuild.replay import Period, Replay, Swapped, Tools, begin
from sinks.retry import Patience
from tests.clickhouse import ClickHouseUnderTest
from tests.exactness import assert_exact, produce
from tests.kafka import KafkaUnderTest, wait_until
from tests.proxy import ClickHouseProxy, Dropped, Harm, Insert
from tests.sink_rig import SinkRig
from tests.stored import StoredChunk, store

# Chunks as large as the load allows: each is some statements of the replay, too.
ROOMY: dict[str, Any] = {"chunk_rows": 1000, "chunk_age_seconds": 1.5}

COMMAND_SECONDS = 200.0

SETTLED_DAYS = (date(2026, 10, 31), date(2026, 11, 1))
OF_NOW = {"live_rate", "recent_activity"}  # named queries about the last minutes
RELEASE = "1.4.2"


class StatementProxy(ClickHouseProxy):
    """Sees every statement, not only inserts with a token."""

    def _insert(self, path: str, body: bytes) -> Insert | None:
        found = super()._insert(path, body)
        return found or Insert("", body.decode("utf-8", "replace"), 0)


class KillAt(Harm):
    """Kills a process at the first statement that has some words, before or after it is done."""

    def __init__(self, words: str, *, is_done: bool, number: int = 1) -> None:
        self.process: subprocess.Popen[str] | None = None
        self._words = words
        self._is_done = is_done
        self._left = number
        self.has_killed = False

    def before(self, insert: Insert) -> None:
        self._look(insert, is_done=False)

    def after(self, insert: Insert) -> None:
        self._look(insert, is_done=True)

    def _look(self, insert: Insert, *, is_done: bool) -> None:
        if self._words not in insert.table or is_done != self._is_done or self.has_killed:
            return
        self._left -= 1
        if not self._left:
            self.has_killed = True
            assert self.process is not None
            self.process.kill()
            raise Dropped(self._words)


async def take_back_wishes(bootstrap: str, marks: Sequence[str]) -> None:
    """Other tests read the same log into tables of their own, where nobody was forgotten."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for mark in marks:
            await producer.send_and_wait(APP_FORGOTTEN.name, None, mark.encode())
    finally:
        await producer.stop()


class ReplayRig(SinkRig):
    """An app whose events are all there, and one whose events keep coming."""

    def __init__(self, kafka: KafkaUnderTest, clickhouse: ClickHouseUnderTest, folder: Path):
        super().__init__(kafka, clickhouse, folder)
        self.settled = f"settled-{uuid4()}"
        self.proxy = StatementProxy(clickhouse.url)
        self._marks: list[str] = []

    def close(self) -> None:
        super().close()
        self.proxy.close()

    def replay(
        self, *arguments: str, harm: KillAt | None = None
    ) -> subprocess.CompletedProcess[str]:
        return self._command("replay", *arguments, harm=harm)

    def forget(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = self._command("forget", *arguments)
        self._marks += [json.loads(done.stdout)["mark"]] if done.stdout else []
        return done

    async def take_back_wishes(self) -> None:
        await take_back_wishes(self.kafka.bootstrap, self._marks)

    def _command(
        self, *arguments: str, harm: KillAt | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sinks", *arguments]
        environment = {
            **os.environ,
            "TELEMETRY_KAFKA_BOOTSTRAP": self.kafka.bootstrap,
            "TELEMETRY_CLICKHOUSE_URL": self.proxy.url,
            "TELEMETRY_CLICKHOUSE_USER": self.clickhouse.user,
            "TELEMETRY_CLICKHOUSE_PASSWORD": self.clickhouse.password,
            "TELEMETRY_SINK_GROUP": self.group,
        }
        self.proxy.harm = harm or Harm()
        process = subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        if harm is not None:
            harm.process = process
        try:
            output, errors = process.communicate(timeout=COMMAND_SECONDS)
        finally:
            process.kill()  # no more than a word to one that has ended
        self.proxy.harm = Harm()
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    async def replay_here(self, replay: type[Replay], rows: type[ShadowRows]) -> Swapped:
        """A replay in this process, of other make."""
        reach = {"bootstrap_servers": self.kafka.bootstrap}
        client = await sql.connect(self.clickhouse.server())
        reader = await LogReader.open(reach)
        try:
            settings = await known_settings(client)
            tools = Tools(
                shadow=Shadow(client),
                rows=rows(client, settings),
                reader=reader,
                writer=LogWriter(client, settings, 50_000, Patience(repeat(0.5)), Wishes()),
                pauses=ClickHousePauses(client),
                group=self.group,
                accept_fewer=False,
                show=lambda done, total: None,
            )
            return await replay(tools, await begin(tools, Period())).run()
        finally:
            await reader.close()
            await client.close()

    def store(self, chunk: StoredChunk) -> None:
        """Rows that no log has."""

        async def main() -> None:
            client = await sql.connect(self.clickhouse.server())
            try:
                await store(client, chunk)
            finally:
                await client.close()

        asyncio.run(main())

    def lose_rows(self, condition: str) -> int:
        """Rows of `events` vanish; how many."""
        ((count,),) = self.clickhouse.rows(
            f"SELECT count() FROM telemetry.events WHERE {condition}"
        )
        statement = f"ALTER TABLE telemetry.events DELETE WHERE {condition}"
        assert self.clickhouse.ask(f"{statement} SETTINGS mutations_sync = 2") == (200, "")
        return int(count)

    def leftovers(self) -> int:
        """Shadow databases and permits that are still there."""
        ((found,),) = self.clickhouse.rows(
            "SELECT (SELECT count() FROM system.databases WHERE name = 'telemetry_replay')"
            " + (SELECT count() FROM system.tables WHERE startsWith(name, 'replay_permit'))"
        )
        return int(found)

    def lose_offsets(self) -> None:
        """The next sink has no commits to go by: it repeats the newest chunk of each partition."""
        assert self.sinks[-1].stop() == 0
        self.group = f"sink-{uuid4()}"
        self.start("one", **ROOMY)
        self.wait_idle()

    def uuids(self) -> dict[str, str]:
        """Which tables have the live names now."""
        found = self.clickhouse.rows(
            "SELECT name, toString(uuid) FROM system.tables WHERE database = 'telemetry'"
        )
        return dict(found)

    async def ask(self, name: str, app: str, first: str, last: str) -> list[dict[str, object]]:
        """What a named query says, by column."""
        client = await sql.connect(self.clickhouse.server())
        try:
            given = {"app": app, "from": first, "to": last}
            return (await sql.run_query(client, name, given, SETTLED_DAYS[1])).as_objects()
        finally:
            await client.close()

    def answers(self, app: str) -> dict[str, list[tuple[object, ...]]]:
        """What every named query says of an app, but those that ask for now."""
        return asyncio.run(self._answers(app))

    async def _answers(self, app: str) -> dict[str, list[tuple[object, ...]]]:
        client = await sql.connect(self.clickhouse.server())
        first, last = (day.isoformat() for day in SETTLED_DAYS)
        given = {"app": app, "from": first, "to": last, "device": f"{app}-1"}
        given |= {"steps": "app_open,app_crash", "against": "none"}
        event_id, group = self.clickhouse.rows(
            "SELECT toString(min(event_id)), lower(hex(max(crash_group))) FROM telemetry.events"
            " WHERE app_id = {app:String}",
            app=app,
        )[0]
        given |= {"event_id": event_id, "group": group.rjust(16, "0")}
        try:
            found: dict[str, list[tuple[object, ...]]] = {}
            for name in set(sql.names()) - OF_NOW:
                wanted = {one.name for one in sql.load(name).params} & given.keys()
                params = {key: given[key] for key in wanted}
                if name == "release_compare":
                    params["release"] = RELEASE
                answer = await sql.run_query(client, name, params, SETTLED_DAYS[1])
                found[name] = [tuple(plain(value) for value in row) for row in answer.rows]
            return found
        finally:
            await client.close()

    def assert_exact(self) -> None:
        for app in (self.settled, self.app):
            assert_exact(self.kafka.bootstrap, self.clickhouse, app)


class Load:
    """Events of one app that keep coming, from a thread of its own, while it is entered."""

    def __init__(self, rig: ReplayRig) -> None:
        self._rig = rig
        self._stop = threading.Event()
        self.rounds = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        wait_until(lambda: self.rounds > 0, what="the first load")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.is_set():
            produce(self._rig.kafka.bootstrap, self._rig.app, seed=100 + self.rounds, count=40)
            self.rounds += 1
            self._stop.wait(0.5)
