"""One lane's log: what was synced is read in its order, whatever happened to the process before."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.contract.record import Run
from gateway.publish.spool import lane_log
from gateway.publish.spool.entry import decode, encode
from gateway.publish.spool.lane_log import Damage, LaneLog

TOPIC = "app-events"


def entry(text: str, pad: int = 0) -> bytes:
    return encode([Run(TOPIC, b"device", [text.encode() + b" " * pad])], 1)


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Place:
    """The folder of one log, and who reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / TOPIC / "3"
        self.quarantine = folder / "quarantine"

    def log(self) -> LaneLog:
        """As a process finds it that starts now."""
        log, _ = self.adopted()
        return log

    def adopted(self) -> tuple[LaneLog, Damage]:
        log = LaneLog(self.folder, self.quarantine)
        return log, log.adopt()

    def segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.log"))

    def put_aside(self) -> list[bytes]:
        return [one.read_bytes() for one in sorted(self.quarantine.glob("*"))]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def store(log: LaneLog, *texts: str, pad: int = 0) -> None:
    log.write([entry(text, pad) for text in texts])
    log.sync()


def drain(log: LaneLog) -> list[str]:
    texts: list[str] = []
    while log.left:
        texts += take(log)
    return texts


def take(log: LaneLog) -> list[str]:
    """The next entries, and off the log with them."""
    found, size = log.read()
    log.drained(size)
    whole = [one.body for one in found if one.body is not None]
    return [decode(TOPIC, body)[0].values[0].decode().strip() for body in whole]


def test_entries_leave_in_the_order_in_which_they_came(place: Place) -> None:
    log = place.log()
    store(log, "a", "b")
    store(log, "c")

    assert drain(log) == ["a", "b", "c"]
    assert log.left == 0
    assert place.segments() == []


def test_what_is_not_synced_is_not_read(place: Place) -> None:
    log = place.log()
    store(log, "a")
    log.write([entry("b")])

    assert take(log) == ["a"]
    log.sync()
    assert take(log) == ["b"]


def test_a_log_goes_on_where_a_former_process_was(place: Place) -> None:
    log = place.log()
    store(log, "a")
    take(log)
    store(log, "b", "c")
    log.close()

    after, damage = place.adopted()
    store(after, "d")

    assert damage == Damage()
    assert drain(after) == ["b", "c", "d"]


def test_without_its_head_a_log_is_read_from_its_start(place: Place) -> None:
    log = place.log()
    store(log, "a")
    store(log, "b", pad=lane_log.READ_BYTES)
    assert take(log) == ["a"]
    (place.folder / lane_log.HEAD_NAME).unlink()

    assert drain(place.log()) == ["a", "b"]  # copies, never a loss


@pytest.mark.parametrize("head", [b"", b"torn", b"\xff" * 16])
def test_a_head_that_is_none_costs_nothing(place: Place, head: bytes) -> None:
    store(place.log(), "a")
    (place.folder / lane_log.HEAD_NAME).write_bytes(head[:15])

    assert drain(place.log()) == ["a"]


def test_a_head_that_outlived_its_segments_takes_none_of_the_next(place: Place) -> None:
    log = place.log()
    for number in range(3):
        store(log, str(number), pad=lane_log.SEGMENT_BYTES)
    take(log)
    take(log)
    head = (place.folder / lane_log.HEAD_NAME).read_bytes()
    take(log)
    (place.folder / lane_log.HEAD_NAME).write_bytes(head)  # as after a loss of power

    store(place.log(), "new")

    assert drain(place.log()) == ["new"]


def test_a_long_log_has_many_segments_and_they_go_one_by_one(place: Place) -> None:
    log = place.log()
    texts = [str(number) for number in range(6)]
    for text in texts:
        store(log, text, pad=lane_log.SEGMENT_BYTES // 2)

    assert len(place.segments()) == 3
    assert drain(log) == texts
    assert place.segments() == []


def test_a_torn_end_is_cut_at_every_byte_of_it(place: Place) -> None:
    store(place.log(), "a", "b")
    (segment,) = place.segments()
    whole = segment.read_bytes()
    size = len(entry("b"))
    for cut in range(1, size):
        segment.write_bytes(whole[:-cut])
        log, damage = place.adopted()
        assert damage == Damage(torn_bytes=size - cut)
        found, _ = log.read()
        assert [one.body is not None for one in found] == [True]
        log.close()


def test_damage_in_the_middle_is_put_aside_and_the_rest_is_kept(place: Place) -> None:
    store(place.log(), "a", "b", "c")
    (segment,) = place.segments()
    data = bytearray(segment.read_bytes())
    size = len(entry("a"))
    data[size + 30] ^= 0xFF
    segment.write_bytes(bytes(data))

    log, damage = place.adopted()

    assert damage == Damage(quarantined=1)
    assert place.put_aside() == [bytes(data[size : 2 * size])]
    assert drain(log) == ["a", "c"]


def test_a_torn_end_of_a_segment_that_is_not_the_last_is_damage(place: Place) -> None:
    log = place.log()
    store(log, "a", pad=lane_log.SEGMENT_BYTES)
    store(log, "b")
    log.close()
    first, _ = place.segments()
    first.write_bytes(first.read_bytes()[:-10])

    log, damage = place.adopted()

    assert damage == Damage(quarantined=1)
    assert len(place.put_aside()) == 1
    assert drain(log) == ["b"]


def test_after_a_failed_write_the_rest_goes_to_another_segment(place: Place) -> None:
    log = place.log()
    store(log, "a")
    with files_end_at(len(entry("a")) + 10), pytest.raises(OSError, match="File too large"):
        log.write([entry("b")])
    log.close_segment()
    store(log, "c")

    assert len(place.segments()) == 2
    assert drain(log) == ["a", "c"]


def test_what_a_failed_write_left_is_cut_off(place: Place) -> None:
    log = place.log()
    store(log, "a")
    log.write([entry("b")])
    log.close_segment()  # as after a sync that failed
    log.close()

    assert drain(place.log()) == ["a"]
