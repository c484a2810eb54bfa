"""Clients of the ClickHouse engine: one that writes, one that may only read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sinks.clickhouse import sql
from sinks.clickhouse.sql import AsyncClient
from tests.clickhouse import ClickHouseUnderTest


@pytest.fixture
async def writer(clickhouse: ClickHouseUnderTest) -> AsyncIterator[AsyncClient]:
    client = await sql.connect(clickhouse.server())
    yield client
    await client.close()


@pytest.fixture
async def reader(clickhouse: ClickHouseUnderTest) -> AsyncIterator[AsyncClient]:
    client = await sql.connect(
        sql.Server(url=clickhouse.url, user=clickhouse.reader, password=clickhouse.reader_password)
    )
    yield client
    await client.close()
