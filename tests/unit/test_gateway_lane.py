"""A lane against a simple model: order, one unresolved batch, and one outcome for every POST."""

from __future__ import annotations

from itertools import pairwise

from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.record import Run
from gateway.contract.verdict import Kept
from gateway.publish.lane import Batch, Lane, Part, Post, framed_bytes, split
from gateway.publish.publisher import Outcome
from gateway.publish.records import Producer, frame
from tests.records import of_runs

ONE = Producer(7, 0)
NOW_MS = 1_795_497_600_000
MAX_BYTES = 2_000

runs = st.builds(
    Run,
    topic=st.just("t"),
    key=st.binary(max_size=40),
    values=st.lists(st.integers(0, 1_500).map(bytes), min_size=1, max_size=4),
    headers=st.lists(st.tuples(st.sampled_from(["code", "app_id"]), st.binary(max_size=9)),
                     max_size=3),
)  # fmt: skip
steps = st.lists(
    st.one_of(
        st.lists(st.integers(0, 1_500), min_size=1, max_size=4),  # a POST of so large records
        st.sampled_from(["batch", "written", "refused", "expire", "forget", "start_again"]),
    ),
    max_size=40,
)


class Rig:
    """A lane with one record a part, and what each POST was told."""

    def __init__(self) -> None:
        self.lane = Lane("t", 0)
        self.posts: list[tuple[Post, list[bytes]]] = []
        self.told: dict[int, Outcome] = {}
        self.log: list[bytes] = []  # what the broker wrote

    def submit(self, sizes: list[int]) -> None:
        number = len(self.posts)

        def settle(outcome: Outcome) -> None:
            assert number not in self.told
            self.told[number] = outcome

        values = [f"{number}-{part}:".encode().ljust(size) for part, size in enumerate(sizes)]
        post = Post(len(values), 0.0, settle)
        self.posts.append((post, values))
        for value in values:
            self.lane.add(Part(post, [Run("t", b"k", [value])]))

    def expire(self) -> None:
        """The oldest POST that waits has waited too long."""
        waiting = [post for post, _ in self.posts if not post.is_settled]
        if waiting:
            waiting[0].end(Outcome(None, "too late"))

    def batch(self) -> None:
        if self.lane.unresolved is None:
            made = self.lane.make_batch(MAX_BYTES, NOW_MS, ONE)
            assert made is self.lane.unresolved

    def step(self, name: str) -> None:
        batch = self.lane.unresolved
        if name == "batch":
            self.batch()
        elif name == "expire":
            self.expire()
        elif name == "forget":
            self.lane.forget_settled()
        elif name == "start_again":
            self.lane.start_again(ONE)
        elif batch is not None and name == "written":
            self.log += values_of(batch, self.lane.sequence)
            self.lane.written()
        elif batch is not None and name == "refused":
            self.lane.refused("told to fail")


def values_of(batch: Batch, sequence: int) -> list[bytes]:
    """The records of a batch as a broker's decoder reads them, its header checked."""
    sizes = [len(chunk) for chunk in batch.chunks[1:]]
    assert sum(sizes) <= MAX_BYTES or len(sizes) == 1
    decoded = MemoryRecords(b"".join(batch.chunks)).next_batch()
    assert decoded is not None
    assert decoded.validate_crc()
    assert (decoded.producer_id, decoded.base_sequence) == (ONE.id, sequence)
    found = list(decoded)
    assert [one.offset for one in found] == list(range(batch.count))
    return [one.value or b"" for one in found]


class TestLane:
    @given(steps)
    def test_writes_what_was_not_given_up_once_and_in_order_and_tells_each_post_once(
        self, wanted: list[list[int] | str]
    ) -> None:
        rig = Rig()
        for step in wanted:
            if isinstance(step, str):
                rig.step(step)
            else:
                rig.submit(step)
        while rig.lane.queue or rig.lane.unresolved is not None:
            rig.step("batch")
            rig.step("written")

        submitted = [value for _, values in rig.posts for value in values]
        places = [submitted.index(value) for value in rig.log]
        assert places == sorted(set(places))
        assert sorted(rig.told) == list(range(len(rig.posts)))
        for number, (_, values) in enumerate(rig.posts):
            if rig.told[number] == Outcome(Kept.KAFKA):
                assert set(values) <= set(rig.log)

    def test_counts_only_what_was_written(self) -> None:
        rig = Rig()
        for outcome in ("written", "refused", "written"):
            rig.submit([10, 10])
            rig.step("batch")
            rig.step(outcome)

        assert rig.lane.sequence == 4
        rig.step("start_again")
        assert rig.lane.sequence == 0

    def test_sequences_go_round_after_the_largest_int32(self) -> None:
        rig = Rig()
        rig.lane.sequence = 2**31 - 1
        rig.submit([10, 10])
        rig.step("batch")
        rig.step("written")

        assert rig.lane.sequence == 1

    def test_a_post_is_kept_when_its_last_part_is(self) -> None:
        rig = Rig()
        rig.submit([1_500, 1_500])
        rig.step("batch")
        rig.step("written")
        assert rig.told == {}

        rig.step("batch")
        rig.step("written")
        assert rig.told == {0: Outcome(Kept.KAFKA)}

    def test_what_was_told_stays_whatever_comes_of_its_batch(self) -> None:
        rig = Rig()
        rig.submit([10])
        rig.step("batch")
        rig.step("expire")
        rig.step("written")

        assert rig.told == {0: Outcome(None, "too late")}


class TestSplit:
    @given(st.lists(runs, max_size=12))
    def test_parts_are_as_long_as_they_fit_and_keep_the_order(self, given_: list[Run]) -> None:
        parts = split(given_, MAX_BYTES)

        assert [one for part in parts for one in of_runs(part)] == of_runs(given_)
        assert all(len(part) == 1 or sum(map(framed_bytes, part)) <= MAX_BYTES for part in parts)
        for part, following in pairwise(parts):
            assert sum(map(framed_bytes, [*part, following[0]])) > MAX_BYTES

    @given(runs, st.integers(0, 2**31 - 100))
    def test_no_run_takes_more_than_was_reckoned(self, run: Run, place: int) -> None:
        assert len(frame([run], place)) <= framed_bytes(run)
