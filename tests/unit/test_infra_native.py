"""The Native format with heads and marks, by hand."""

from __future__ import annotations

import pytest

from infra.local.clickhouse.errors import ClickHouseError
from infra.local.clickhouse.native import with_marks

HEAD = b"\x01\x00\x02\xff\xff\xff\xff\x00"
NAMES = b"\x01\x02" + b"\x01a\x06String"  # one column, two rows: a String
VALUES = b"\x01x\x02yz"


def test_a_block_gets_its_head_and_each_column_its_mark() -> None:
    assert with_marks(NAMES + VALUES) == HEAD + NAMES + b"\x00" + VALUES


def test_blocks_follow_one_another() -> None:
    block = NAMES + VALUES

    assert with_marks(block * 3) == with_marks(block) * 3


def test_a_block_without_rows_has_names_alone() -> None:
    empty = b"\x02\x00\x01a\x05UInt8\x01b\x04Date"

    assert with_marks(empty) == HEAD + b"\x02\x00\x01a\x05UInt8\x00\x01b\x04Date\x00"


def test_no_answer_is_none() -> None:
    assert with_marks(b"") == b""


@pytest.mark.parametrize("column_type", [b"JSON", b"Dynamic", b"AggregateFunction(uniq, String)"])
def test_a_type_whose_end_cannot_be_found_is_refused_by_name(column_type: bytes) -> None:
    column = b"\x01\x01\x01a" + bytes([len(column_type)]) + column_type + b"\x00"

    with pytest.raises(ClickHouseError, match=column_type.decode().partition("(")[0]):
        with_marks(column)


def test_a_column_that_is_cut_is_refused() -> None:
    with pytest.raises(ClickHouseError, match="ends elsewhere"):
        with_marks(NAMES + VALUES[:-1])
