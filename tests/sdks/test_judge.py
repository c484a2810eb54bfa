"""What the runs are judged by: names found in requests, waits, and the table's cells."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from urllib.parse import urlencode

import brotli
import pytest

from tests.sdks.cases import Case
from tests.sdks.catalog import ROOT, SDKS
from tests.sdks.judge import Outcome
from tests.sdks.orders import orders_in
from tests.sdks.proxy import CUT, Seen
from tests.sdks.run import Run
from tests.sdks.table import END, START, between_markers

PLAIN = json.dumps([{"event": "order-1"}, {"event": "order-12"}]).encode()
FOUND = frozenset({"order-1", "order-12"})
BASE64 = base64.b64encode(PLAIN).decode()


@pytest.mark.parametrize(
    ("target", "body", "encoding"),
    [
        ("/", PLAIN, ""),
        ("/", gzip.compress(PLAIN, mtime=0), "gzip"),
        ("/", gzip.compress(PLAIN, mtime=0), ""),  # as browsers send it
        ("/", brotli.compress(PLAIN), "br"),
        ("/", urlencode({"data": PLAIN.decode(), "verbose": 1}).encode(), ""),
        ("/", urlencode({"data": BASE64}).encode(), ""),
        (f"/track?{urlencode({'data': BASE64})}", b"", ""),
    ],
)
def test_orders_are_found_in_every_form(target: str, body: bytes, encoding: str) -> None:
    assert orders_in(target, body, encoding) == FOUND


def outcome(*seen: tuple[float, int, str], rows: tuple[tuple[str, str], ...] = ()) -> Outcome:
    """Of POSTs (second, status, order), each answered at once; rows are event id and name."""
    run = Run(
        sdk=SDKS[0],
        case=Case.ACK_LOST,
        app="app",
        orders=["order-1", "order-2"],
        started_at=0.0,
        ended_at=9.0,
        seen=[Seen(at, at, frozenset({order}), status, 0) for at, status, order in seen],
        exit_code=0,
        output="",
    )
    return Outcome(run, [{"event_id": one, "event_name": name} for one, name in rows])


def test_a_wait_is_from_a_failure_to_the_same_post() -> None:
    found = outcome(
        (0.0, CUT, "order-1"), (0.5, 200, "order-2"), (1.0, 503, "order-1"), (4.0, 200, "order-1")
    )

    assert found.waits == [1.0, 3.0]


def test_what_is_not_sent_again_has_no_wait() -> None:
    assert outcome((0.0, 503, "order-1"), (1.0, 200, "order-2")).waits == []


def test_a_loop_is_counted_by_the_second() -> None:
    loop = [(number / 10, 503, "order-1") for number in range(20)]

    assert outcome(*loop, (0.0, 200, "order-2")).most_in_a_second() == 10


@pytest.mark.parametrize(
    ("rows", "stored", "is_once"),
    [
        ((("a", "order-1"), ("b", "order-2")), 2, True),
        ((("a", "order-1"), ("a", "order-1")), 1, False),  # a row twice
        ((("a", "order-1"), ("b", "order-1")), 1, False),  # one event under two ids
        ((("a", "other"),), 0, True),
    ],
)
def test_rows_say_what_is_stored(
    rows: tuple[tuple[str, str], ...], stored: int, is_once: bool
) -> None:
    found = outcome(rows=rows)

    assert (found.stored, found.is_once) == (stored, is_once)


def test_the_table_takes_the_place_of_the_one_before() -> None:
    page = f"a\n{START}\nold\n{END}\nb\n"

    assert between_markers(page, "new") == f"a\n{START}\nnew\n{END}\nb\n"
    with pytest.raises(ValueError, match="lacks"):
        between_markers("a page", "new")


def test_the_page_has_a_row_of_each_sdk() -> None:
    page = Path(ROOT, "docs", "SDKS.md").read_text(encoding="utf-8")
    table = page.partition(START)[2].partition(END)[0]

    rows = [line.removeprefix("| ") for line in table.strip().splitlines()[2:]]
    assert [line.partition(" (")[0] for line in rows] == [one.name for one in SDKS]
