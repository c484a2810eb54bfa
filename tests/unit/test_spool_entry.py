"""Entries on disk: what is whole is read, and what is not shows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.record import Run
from gateway.publish.spool.entry import MARK, Found, decode, encode, scan

TOPIC = "app-events"
ARRIVED = 1_700_000_000_000

headers = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=9)), max_size=2)
runs = st.builds(
    Run,
    st.just(TOPIC),
    st.binary(max_size=9),
    st.lists(st.binary(max_size=60), min_size=1, max_size=1),
    headers,
)
posts = st.lists(st.lists(runs, min_size=1, max_size=3), min_size=1, max_size=5)


def bodies(found: list[Found]) -> list[list[Run]]:
    return [decode(TOPIC, one.body) for one in found if one.body is not None]


@given(posts)
def test_what_was_written_is_read(written: list[list[Run]]) -> None:
    data = b"".join(encode(one, ARRIVED) for one in written)

    found, end = scan(data)

    assert end == len(data)
    assert bodies(found) == written
    assert {one.arrived_ms for one in found} == {ARRIVED}


@given(posts)
def test_a_log_cut_anywhere_gives_every_entry_before_the_cut(written: list[list[Run]]) -> None:
    entries = [encode(one, ARRIVED) for one in written]
    data = b"".join(entries)
    for cut in range(len(data) - len(entries[-1]), len(data)):
        found, end = scan(data[:cut])
        assert bodies(found) == written[:-1]
        assert end == len(data) - len(entries[-1])


@given(posts, st.data())
def test_a_flipped_bit_costs_its_own_entry_only(
    written: list[list[Run]], data: st.DataObject
) -> None:
    entries = [encode(one, ARRIVED) for one in written]
    broken = data.draw(st.integers(0, len(entries) - 1))
    bit = data.draw(st.integers(0, len(entries[broken]) * 8 - 1))
    damaged = bytearray(entries[broken])
    damaged[bit // 8] ^= 1 << bit % 8
    log = b"".join([*entries[:broken], bytes(damaged), *entries[broken + 1 :]])

    found, end = scan(log)

    assert bodies(found) == written[:broken] + written[broken + 1 :]
    if broken < len(entries) - 1:  # what is behind it shows that it was there
        (hole,) = [one for one in found if one.body is None]
        assert log[hole.start : hole.end] == bytes(damaged)
        assert end == len(log)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_left(data: bytes) -> None:
    found, end = scan(data)

    assert 0 <= end <= len(data)
    assert all(0 <= one.start < one.end <= end for one in found)


@pytest.mark.parametrize("inside", [MARK, MARK * 3, encode([Run(TOPIC, b"k", [b"v"])], 1)])
def test_a_value_that_looks_like_an_entry_is_none(inside: bytes) -> None:
    written = [Run(TOPIC, b"k", [inside]), Run(TOPIC, b"k", [b"after"])]
    data = b"".join(encode([one], ARRIVED) for one in written)

    assert bodies(scan(data)[0]) == [[one] for one in written]


def test_a_run_is_stored_record_by_record() -> None:
    (found,), _ = scan(encode([Run(TOPIC, b"k", [b"a", b"b"], [("h", b"1")])], ARRIVED))

    assert found.body is not None
    assert decode(TOPIC, found.body) == [
        Run(TOPIC, b"k", [value], [("h", b"1")]) for value in (b"a", b"b")
    ]
