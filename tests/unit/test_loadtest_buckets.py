"""Buckets of devices: every line comes back once, in its bucket and its order."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from loadtest.buckets import FLUSH_BYTES, Buckets, bucket_of

devices = st.text(max_size=8)
numbered = st.lists(devices).map(
    lambda names: [(name, b"%d\n" % number) for number, name in enumerate(names)]
)


@given(numbered, st.integers(1, 7), st.sets(st.integers(0, 50)))
def test_lines_come_back_by_bucket_in_their_order(
    lines: list[tuple[str, bytes]], count: int, flushes: set[int]
) -> None:
    with TemporaryDirectory() as folder:
        buckets = Buckets(Path(folder), "kind", count)
        for number, (device, line) in enumerate(lines):
            buckets.add(device, line)
            if number in flushes:
                buckets.flush()
        buckets.flush()
        found = [list(buckets.lines(number)) for number in range(count)]

    wanted = [
        [line for device, line in lines if bucket_of(device, count) == number]
        for number in range(count)
    ]
    assert found == wanted


def test_what_is_held_in_memory_has_a_bound(tmp_path: Path) -> None:
    buckets = Buckets(tmp_path, "kind", 2)
    line = b"x" * 65_535 + b"\n"
    for number in range(4 * FLUSH_BYTES // len(line)):
        buckets.add(str(number), line)

    written = sum(one.stat().st_size for one in tmp_path.iterdir())
    assert 4 * FLUSH_BYTES - written <= FLUSH_BYTES + len(line)


def test_a_device_s_bucket_is_the_remainder_of_its_crc32() -> None:
    check = 0xCBF43926  # of "123456789", as the catalogue of CRCs has it

    assert [bucket_of("123456789", count) for count in (1, 7, 2**32)] == [0, check % 7, check]
