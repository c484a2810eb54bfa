"""A client that goes away: its query ends, and nobody else's does."""

from __future__ import annotations

from http.client import HTTPConnection
from urllib.parse import quote, urlsplit
from uuid import uuid4

from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import wait_until


class Asking:
    """A query in work that ends only when somebody ends it."""

    def __init__(
        self, clickhouse: ClickHouseUnderTest, user: str, password: str, query_id: str
    ) -> None:
        self._clickhouse = clickhouse
        self._mark = f"mark-{uuid4()}"
        sql = f"SELECT count() FROM numbers(1e15) WHERE sipHash64(number, '{self._mark}') = 0"
        self._connection = HTTPConnection(urlsplit(clickhouse.url).netloc, timeout=60)
        headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
        self._connection.request("POST", f"/?query_id={quote(query_id)}", sql.encode(), headers)
        wait_until(self.is_running, what="a query in work")

    def is_running(self) -> bool:
        found = self._clickhouse.rows(
            "SELECT count() FROM system.processes"
            " WHERE position(query, {mark:String}) > 0 AND query NOT ILIKE '%system.processes%'",
            mark=self._mark,
        )
        return int(found[0][0]) > 0

    def leave(self) -> None:
        self._connection.close()


def test_the_query_of_a_client_that_leaves_is_ended(clickhouse: ClickHouseUnderTest) -> None:
    asking = Asking(clickhouse, clickhouse.user, clickhouse.password, "its own")

    asking.leave()

    wait_until(lambda: not asking.is_running(), what="the end of the query")


def test_a_reader_that_leaves_ends_no_query_of_the_writer_s(
    clickhouse: ClickHouseUnderTest,
) -> None:
    """Clients choose the ids of their queries, so a reader may choose the writer's."""
    writing = Asking(clickhouse, clickhouse.user, clickhouse.password, "the same")
    reading = Asking(clickhouse, clickhouse.reader, clickhouse.reader_password, "the same")

    reading.leave()
    wait_until(lambda: not reading.is_running(), what="the end of the reader's query")
    was_left_alone = writing.is_running()
    writing.leave()
    wait_until(lambda: not writing.is_running(), what="the end of the writer's query")

    assert was_left_alone
