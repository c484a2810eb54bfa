"""Each process does its work in ClickHouse with its grants, and cannot with any one of them less.

The local engine has roles and checks their grants, as a server does; it has no users.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from gateway.contract.dead_letter import DeadLetter
from gateway.contract.forgotten import Kind
from sinks.clickhouse import dead_letters, sql, trace
from sinks.clickhouse.checks import check_tables
from sinks.clickhouse.forget import Forgetter, Who
from sinks.clickhouse.grants import grants
from sinks.clickhouse.ledger import ClickHouseLedger
from sinks.clickhouse.pauses import ClickHousePauses, permit
from sinks.clickhouse.schema_files import migrations, statements
from sinks.clickhouse.shadow import Shadow
from sinks.clickhouse.shadow_rows import ShadowRows
from sinks.clickhouse.sink import ClickHouseSink, known_settings
from sinks.clickhouse.tables import DEAD_LETTERS, EVENTS, Table
from sinks.dead_rows import read_dead_letter
from sinks.retrace.files import MappingFile
from sinks.retrace.store import add, remove
from sinks.rows import read_event
from sinks.sink import Block, Chunk, Misconfigured, Polled, Row, Tally
from tests.clickhouse import ClickHouseUnderTest
from tests.fakes_sink import make_polled

Errand = Callable[[sql.AsyncClient], Awaitable[None]]
PAUSE = "of_a_dead_replay"
TODAY = datetime(2026, 11, 24, tzinfo=UTC).date()


def roles() -> dict[str, list[str]]:
    """The grants of each role, one right each: `GRANT SELECT ON telemetry.events`."""
    found: dict[str, list[str]] = {}
    for statement in grants():
        if granted := re.fullmatch(r"GRANT (.+) ON (\S+) TO telemetry_(\w+)", statement):
            rights, where, role = granted.groups()
            found.setdefault(role, []).extend(
                f"GRANT {right} ON {where}" for right in rights.split(", ")
            )
        else:
            assert statement.startswith("CREATE ROLE IF NOT EXISTS telemetry_")
    return found


ROLES = roles()


class Granted(ClickHouseUnderTest):
    """A front whose writer is one role after another."""

    def command(self) -> list[str]:
        every = {"owner": ["GRANT ALL ON *.* WITH GRANT OPTION"]}
        for role, given in ROLES.items():
            every[role] = given
            for number in range(len(given)):
                every[f"{role}_{number}"] = given[:number] + given[number + 1 :]
        python, _, _, *rest = super().command()
        assert python == sys.executable
        return ["/usr/bin/env", f"ROLES={json.dumps(every)}", python, "-m", "tests.clickhouse_as",
                *rest]  # fmt: skip

    def be(self, role: str) -> None:
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "data" / "role").write_text(role)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Granted]:
    front = Granted(tmp_path_factory.mktemp("granted"))
    front.be("owner")
    front.start()
    yield front
    assert front.stop() == 0


@pytest.fixture
def granted(engine: Granted) -> Granted:
    engine.be("owner")
    engine.migrate()
    return engine


async def ddl(client: sql.AsyncClient) -> None:
    """`migrate` on an empty server, and with a file to come."""
    await sql.apply_schema(client)
    for one in migrations():
        for statement in statements(one.sql):
            await client.command(statement)


async def sink(client: sql.AsyncClient) -> None:
    """What `run` asks and writes."""
    await check_tables(client, (EVENTS, DEAD_LETTERS))
    settings = await known_settings(client)
    pauses = ClickHousePauses(client)
    await pauses.current()
    await pauses.end(PAUSE)
    cluster = str(uuid4())
    for table, row in ((EVENTS, _event()), (DEAD_LETTERS, _letter())):
        chunk = Chunk(cluster, table.topic, 0, 0, 9)
        tallies = {row.bucket: Tally(inserted=1), ("other", 0): Tally(dead=1)}
        block = Block(chunk, [row], tallies, chunk.token)
        store = ClickHouseSink(client, table, settings, 20)
        await store.find_bad(block)
        await store.write(block)
        await _look(ClickHouseLedger(client, table, cluster), table)


async def _look(ledger: ClickHouseLedger, table: Table) -> None:
    place = (table.topic, 0)
    assert await ledger.newest(*place, 0)
    assert await ledger.find(*place, 0)
    assert await ledger.last_row(*place)
    if table.drops_copies:
        await ledger.identities(*place, 0, 9)
        await ledger.settled(*place, [make_polled(1), make_polled(8)])


async def reader(client: sql.AsyncClient) -> None:
    """Every named query, and what the console asks beside them."""
    for name in sql.names():
        await sql.run_query(client, name, _params(name), TODAY)
    asked = dead_letters.Asked(app="", reason="", source="", first=TODAY, last=TODAY)
    await dead_letters.counts(client, asked)
    await trace.trace(client, str(uuid4()), "")
    assert (await client.query("SHOW TABLES FROM telemetry")).result_rows


def _params(name: str) -> dict[str, str]:
    known = {
        "app": "demo",
        "group": "0000000000000000",
        "device": "d",
        "event_id": "none",
        "steps": "app_open,app_close",
        "release": "1.0",
        "against": "1.1",
    }
    return {one.name: known[one.name] for one in sql.load(name).params if one.name in known}


async def operator(client: sql.AsyncClient) -> None:
    """What `replay` and `forget` do, but for the log."""
    await Forgetter(client).run(Who("demo", Kind.DEVICE, "device-1", None))
    shadow, pauses, replay = Shadow(client), ClickHousePauses(client), uuid4().hex
    await shadow.make(replay, {})
    begun = await shadow.begun()
    assert begun is not None
    await pauses.begin(replay)
    await shadow.note_swap(replay, 0)
    await ShadowRows(client, {}).carry("hourly", "202001")
    await shadow.exchange(replay, await shadow.left(begun))
    await shadow.drop()


async def mappings(client: sql.AsyncClient) -> None:
    """What `mapping` does for a build server."""
    file = MappingFile("proguard", "", "com.example.Cart -> a.b:\n")
    release = uuid4().hex
    assert await add(client, "demo", release, file)
    assert not await add(client, "demo", release, file)
    assert await remove(client, "demo", release, None) == 1


ERRANDS: dict[str, Errand] = {
    "ddl": ddl,
    "sink": sink,
    "reader": reader,
    "mappings": mappings,
    "operator": operator,
}


def _event() -> Row:
    row = read_event(make_polled(0, event_id=str(uuid4()), app_id="demo", device_id="device-1"))
    assert isinstance(row, Row)
    return row


def _letter() -> Row:
    headers = DeadLetter(source="gateway", code="missing_field", text="x").to_headers()
    row = read_dead_letter(Polled(0, b"k", b"{}", 1_795_497_600_000, tuple(headers)))
    assert isinstance(row, Row)
    return row


def failure_of(engine: Granted, role: str, errand: Errand) -> str | None:
    async def run() -> None:
        client = await sql.connect(engine.server())
        try:
            await errand(client)
        finally:
            await client.close()

    engine.ask(f"CREATE TABLE IF NOT EXISTS {permit(PAUSE)} (nothing UInt8) ENGINE = Memory")
    engine.be(role)
    try:
        asyncio.run(run())
    except (sql.ClickHouseError, sql.SchemaError, Misconfigured) as error:
        return str(error)
    finally:
        engine.be("owner")
        engine.ask("DROP DATABASE IF EXISTS telemetry_replay SYNC")
    return None


@pytest.mark.parametrize("role", ROLES)
def test_the_grants_suffice(granted: Granted, role: str) -> None:
    assert failure_of(granted, role, ERRANDS[role]) is None


@pytest.mark.parametrize(
    ("role", "number"),
    [(role, number) for role, given in ROLES.items() for number in range(len(given))],
    ids=lambda one: str(one),
)
def test_each_grant_is_needed(granted: Granted, role: str, number: int) -> None:
    if role == "operator":
        failure_of(granted, "sink", sink)  # something to forget
    failure = failure_of(granted, f"{role}_{number}", ERRANDS[role])

    assert failure is not None, ROLES[role][number]


FORBIDDEN = {
    "mappings": [
        "SELECT count() FROM telemetry.events",
        "ALTER TABLE telemetry.mappings UPDATE name = 'x' WHERE 1",
        "TRUNCATE TABLE telemetry.mappings",
        "DROP TABLE telemetry.mappings",
    ],
    "reader": [
        "INSERT INTO telemetry.replays (id, rows) VALUES ('x', 1)",
        "ALTER TABLE telemetry.events DELETE WHERE 1",
        "DROP TABLE telemetry.events",
        "CREATE TABLE telemetry.more (a Int8) ENGINE = Memory",
    ],
    "sink": [
        "SELECT count() FROM telemetry.sessions",
        "INSERT INTO telemetry.sessions (app_id) VALUES ('x')",
        "INSERT INTO telemetry.replays (id, rows) VALUES ('x', 1)",
        "ALTER TABLE telemetry.events DELETE WHERE 1",
        "TRUNCATE TABLE telemetry.events",
        "DROP TABLE telemetry.events",
        "CREATE TABLE telemetry.more (a Int8) ENGINE = Memory",
    ],
    "ddl": ["DROP DATABASE telemetry", "CREATE DATABASE more"],
}


@pytest.mark.parametrize(
    ("role", "statement"), [(role, one) for role, many in FORBIDDEN.items() for one in many]
)
def test_nothing_else_is_allowed(granted: Granted, role: str, statement: str) -> None:
    granted.be(role)
    status, text = granted.ask(statement)

    assert status != 200
    assert "ACCESS_DENIED" in text


def test_the_file_is_sql_that_the_engine_reads(granted: Granted) -> None:
    for statement in grants():
        status, text = granted.ask("SELECT formatQuery({statement:String})", statement=statement)
        assert status == 200, text
