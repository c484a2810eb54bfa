"""The port of a sink: the same facts of the fake that other tests trust and of ClickHouse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol
from uuid import uuid4

import pytest

from sinks.clickhouse.sink import ClickHouseSink, known_settings
from sinks.clickhouse.sql import AsyncClient, Server, connect
from sinks.clickhouse.tables import EVENTS
from sinks.rows import read_event
from sinks.sink import Block, Chunk, Retryable, Row, Sink, Tally, Unwritable
from tests.clickhouse import ClickHouseUnderTest
from tests.fakes_sink import FakeSink, make_polled
from tests.proxy import ClickHouseProxy, Harm, Insert

REFUSED: dict[str, Any] = {"crash_reason": "only the engine refuses"}


class SinkUnderTest(Protocol):
    """A sink and what its tests ask of it."""

    @property
    def sink(self) -> Sink: ...

    def stored(self, cluster: str) -> list[int]:
        """Offsets of the rows stored, each as often as it is."""

    def go_down(self) -> None: ...

    def come_back(self) -> None: ...


class FakeUnderTest:
    def __init__(self) -> None:
        self.sink = FakeSink()

    def stored(self, cluster: str) -> list[int]:
        return sorted(self.sink.offsets)

    def go_down(self) -> None:
        self.sink.is_down = True

    def come_back(self) -> None:
        self.sink.is_down = False


class Refusing(Harm):
    def refuses(self, insert: Insert) -> bool:
        return True


class RealUnderTest:
    """The ClickHouse sink, through a proxy that can refuse."""

    def __init__(
        self, sink: ClickHouseSink, clickhouse: ClickHouseUnderTest, proxy: ClickHouseProxy
    ) -> None:
        self.sink = sink
        self._clickhouse = clickhouse
        self._proxy = proxy

    def stored(self, cluster: str) -> list[int]:
        sql = "SELECT kafka_offset FROM telemetry.events WHERE kafka_cluster = {cluster:String}"
        return sorted(int(row[0]) for row in self._clickhouse.rows(sql, cluster=cluster))

    def go_down(self) -> None:
        self._proxy.harm = Refusing()

    def come_back(self) -> None:
        self._proxy.harm = Harm()


@pytest.fixture(params=["fake", "clickhouse"])
def engine(request: pytest.FixtureRequest) -> ClickHouseUnderTest | None:
    """None for the fake. Not async: an engine is started outside of any loop."""
    if request.param == "fake":
        return None
    clickhouse: ClickHouseUnderTest = request.getfixturevalue("clickhouse")
    return clickhouse


@pytest.fixture
async def under_test(engine: ClickHouseUnderTest | None) -> AsyncIterator[SinkUnderTest]:
    if engine is None:
        yield FakeUnderTest()
        return
    proxy = ClickHouseProxy(engine.url)
    client = await _client(engine, proxy.url)
    sink = ClickHouseSink(client, EVENTS, await known_settings(client), seconds=20)
    yield RealUnderTest(sink, engine, proxy)
    await client.close()
    proxy.close()


async def _client(clickhouse: ClickHouseUnderTest, url: str) -> AsyncClient:
    return await connect(Server(url=url, user=clickhouse.user, password=clickhouse.password))


@pytest.fixture
def cluster() -> str:
    """Every test has a log of its own."""
    return str(uuid4())


def _row(offset: int, *, is_refused: bool = False) -> Row:
    changes: dict[str, Any] = REFUSED if is_refused else {}
    row = read_event(make_polled(offset, event_id=str(uuid4()), **changes))
    assert isinstance(row, Row)
    if not is_refused:
        return row
    # Only the engine sees a repeated key: the typed check has read the last one.
    return Row(row.offset, row.value[:-1] + b',"app_version":"twice"}', row.identity, row.bucket)


def _block(cluster: str, rows: list[Row], start: int = 0, end: int = 100) -> Block:
    chunk = Chunk(cluster, "app-events", 3, start, end)
    tallies: dict[tuple[str, int], Tally] = {}
    for row in rows:
        tallies.setdefault(row.bucket, Tally()).inserted += 1
    return Block(chunk, rows, tallies, chunk.token)


async def test_a_block_is_stored_whole(under_test: SinkUnderTest, cluster: str) -> None:
    await under_test.sink.write(_block(cluster, [_row(0), _row(1), _row(2)]))

    assert under_test.stored(cluster) == [0, 1, 2]


async def test_the_same_block_again_changes_nothing(
    under_test: SinkUnderTest, cluster: str
) -> None:
    block = _block(cluster, [_row(0), _row(1)])

    for _ in range(3):
        await under_test.sink.write(block)

    assert under_test.stored(cluster) == [0, 1]


async def test_the_next_block_is_stored_beside_it(under_test: SinkUnderTest, cluster: str) -> None:
    await under_test.sink.write(_block(cluster, [_row(0)], 0, 1))
    await under_test.sink.write(_block(cluster, [_row(1)], 1, 2))

    assert under_test.stored(cluster) == [0, 1]


async def test_one_bad_row_refuses_the_block_and_nothing_of_it_is_stored(
    under_test: SinkUnderTest, cluster: str
) -> None:
    block = _block(cluster, [_row(0), _row(1, is_refused=True), _row(2)])

    with pytest.raises(Unwritable):
        await under_test.sink.write(block)

    assert under_test.stored(cluster) == []


async def test_the_bad_rows_of_a_block_are_found_and_nothing_is_stored(
    under_test: SinkUnderTest, cluster: str
) -> None:
    bad = {1, 4, 5}
    block = _block(cluster, [_row(one, is_refused=one in bad) for one in range(9)])

    found = await under_test.sink.find_bad(block)

    assert set(found) == bad
    assert all(found.values())
    assert under_test.stored(cluster) == []


async def test_a_good_block_has_no_bad_rows(under_test: SinkUnderTest, cluster: str) -> None:
    assert await under_test.sink.find_bad(_block(cluster, [_row(0), _row(1)])) == {}


async def test_without_its_bad_rows_the_block_is_stored_under_its_token(
    under_test: SinkUnderTest, cluster: str
) -> None:
    good = [_row(0), _row(2)]
    with pytest.raises(Unwritable):
        await under_test.sink.write(_block(cluster, [*good, _row(1, is_refused=True)]))

    for _ in range(2):
        await under_test.sink.write(_block(cluster, good))

    assert under_test.stored(cluster) == [0, 2]


async def test_an_outage_is_worth_another_try(under_test: SinkUnderTest, cluster: str) -> None:
    block = _block(cluster, [_row(0)])
    under_test.go_down()

    with pytest.raises(Retryable):
        await under_test.sink.write(block)
    under_test.come_back()
    await under_test.sink.write(block)

    assert under_test.stored(cluster) == [0]


async def test_a_block_without_rows_is_no_error(under_test: SinkUnderTest, cluster: str) -> None:
    await under_test.sink.write(_block(cluster, []))

    assert under_test.stored(cluster) == []
