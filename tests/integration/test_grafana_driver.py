"""The protocol that Grafana's ClickHouse plugin speaks, against the local engine.

The plugin's own driver, clickhouse-go, is asked when TELEMETRY_TEST_GO is set: it is a Go program
that is built first.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from datetime import date, datetime
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from infra.grafana.boards import BOARDS
from infra.grafana.panel import Asked, sql_of
from infra.local.clickhouse.native import WITH_MARKS
from sinks.clickhouse import sql
from sinks.clickhouse.sql import AsyncClient
from tests.clickhouse import ClickHouseUnderTest
from tests.histories import new_app, random_history
from tests.integration.test_grafana_sql import CHOSEN, filled
from tests.stored import StoredChunk, store

TYPES = """
SELECT
    number AS id,
    toString(number) AS text,
    toFixedString('ab', 3) AS fixed,
    toLowCardinality(if(number % 2 = 0, 'even', 'odd')) AS low,
    toLowCardinality(if(number % 3 = 0, NULL, toString(number))) AS low_or_none,
    if(number = 1, NULL, number) AS or_none,
    range(toUInt32(number % 4)) AS list,
    [['a'], [], ['b', toString(number)]] AS lists,
    CAST(map('k', toString(number)), 'Map(LowCardinality(String), String)') AS properties,
    (number, 'x', toLowCardinality('y')) AS pair,
    CAST((1, 'b'), 'Tuple(one UInt8, two String)') AS named,
    toDate('2026-11-02') AS day,
    toDateTime64('2026-11-02 08:00:00.123', 3, 'UTC') AS instant,
    toUUID('0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e6f') AS uuid,
    toDecimal64(number, 2) AS money,
    toDecimal128(number, 30) AS much,
    number > 1 AS yes,
    CAST('a', 'Enum8(\\'a\\' = 1, \\'b(,\\' = 2)') AS choice,
    toInt8(-1) AS small,
    0.5 AS half
FROM numbers({rows})
"""


def native(engine: ClickHouseUnderTest, text: str, **more: str) -> bytes:
    account = base64.b64encode(f"{engine.user}:{engine.password}".encode()).decode()
    request = Request(
        f"{engine.url}/?{urlencode({'default_format': 'Native', **more})}",
        data=text.encode(),
        headers={"Authorization": f"Basic {account}"},
    )
    with urlopen(request, timeout=60) as answer:
        body: bytes = answer.read()
    return body


class TestMarks:
    @pytest.mark.parametrize(("rows", "block"), [(0, 10), (1, 10), (25, 10), (3000, 1000)])
    def test_every_type_that_people_are_shown_is_walked_over_to_its_end(
        self, clickhouse: ClickHouseUnderTest, rows: int, block: int
    ) -> None:
        asked = TYPES.format(rows=rows) + f"SETTINGS max_block_size = {block}"

        plain = native(clickhouse, asked)
        marked = native(clickhouse, asked, client_protocol_version=str(WITH_MARKS))

        blocks = marked.count(b"\x01\x00\x02\xff\xff\xff\xff\x00\x14")  # of 20 columns
        assert len(marked) == len(plain) + blocks * (8 + 20)
        assert blocks >= min(rows, 1)

    def test_older_clients_get_what_they_got(self, clickhouse: ClickHouseUnderTest) -> None:
        asked = TYPES.format(rows=3)

        for version in ("54405", "", "x", str(WITH_MARKS - 1)):
            assert native(clickhouse, asked, client_protocol_version=version) == native(
                clickhouse, asked
            )


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not os.environ.get("TELEMETRY_TEST_GO"):
        pytest.skip("TELEMETRY_TEST_GO is not set")
    program = tmp_path_factory.mktemp("driver") / "driver"
    source = Path(__file__).parents[1] / "grafana_driver"
    subprocess.run(["go", "build", "-o", str(program), "."], cwd=source, check=True, timeout=600)
    return program


def asked_by_go(
    driver: Path, engine: ClickHouseUnderTest, statements: list[str]
) -> list[list[list[object]]]:
    done = subprocess.run(
        [driver, engine.url.removeprefix("http://"), engine.reader, engine.reader_password],
        input="".join(json.dumps(one) + "\n" for one in statements),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(one) for one in done.stdout.splitlines()]


def as_go_says(value: object) -> object:
    """A value of our own driver as Go's JSON has it."""
    if isinstance(value, datetime):
        text = value.replace(tzinfo=None).isoformat(timespec="milliseconds")
        return f"{text.rstrip('0').rstrip('.') if '.' in text else text}Z"
    if isinstance(value, date):
        return f"{value}T00:00:00Z"
    if isinstance(value, list | tuple):
        return [as_go_says(one) for one in value]
    if isinstance(value, dict):
        return {name: as_go_says(one) for name, one in value.items()}
    return value if isinstance(value, int | float | str | None) else str(value)


@pytest.mark.timeout(700)
class TestDriver:
    async def test_reads_each_panel(
        self,
        driver: Path,
        clickhouse: ClickHouseUnderTest,
        writer: AsyncClient,
        reader: AsyncClient,
    ) -> None:
        app_id = new_app()
        await store(writer, StoredChunk(events=random_history(5, [app_id])))
        chosen = {**CHOSEN, "app": app_id}
        asked = [one for board in BOARDS for one in board.panels if isinstance(one, Asked)]
        statements = [filled(sql_of(sql.load(one.query), one.values), chosen) for one in asked]

        answers = asked_by_go(driver, clickhouse, statements)

        assert len(answers) == len(statements)
        for statement, rows in zip(statements, answers, strict=True):
            ours = (await reader.query(statement)).result_rows
            assert rows == [as_go_says(row) for row in ours]

    async def test_reads_every_type(
        self, driver: Path, clickhouse: ClickHouseUnderTest, reader: AsyncClient
    ) -> None:
        (rows,) = asked_by_go(driver, clickhouse, [TYPES.format(rows=300)])

        assert [row[:2] for row in rows] == [[one, str(one)] for one in range(300)]
        assert [row[3] for row in rows[:2]] == ["even", "odd"]
        assert [row[4] for row in rows[:2]] == [None, "1"]
        assert rows[7][6:9] == [[0, 1, 2], [["a"], [], ["b", "7"]], {"k": "7"}]
