"""The ledger against what was seen: each kind of trouble is found, by hand and by a naive model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.buckets import bucket_of
from loadtest.compare import EXAMPLES, Place, Seen, Told, judge
from loadtest.ledger import Entry


def told_of(*outcomes: Any) -> Told:
    """Events e-1, e-2, … of one phone, each posted and then told its outcome."""
    numbered = list(enumerate(outcomes, start=1))
    return Told(
        [Entry("phone-1", f"e-{one}", "posted", one, digest=f"d-{one}") for one, _ in numbered]
        + [Entry("phone-1", f"e-{one}", outcome, one) for one, outcome in numbered if outcome]
    )


def seen_of(*numbers: int, **changes: Any) -> list[Seen]:
    """These events at rising offsets."""
    seen = [
        Seen("phone-1", f"e-{number}", number, 3, offset, f"d-{number}")
        for offset, number in enumerate(numbers, start=10)
    ]
    return [msgspec.structs.replace(one, **changes) for one in seen]


def find(told: Told, seen: Sequence[Seen], *aside: str, copies_are_wrong: bool = True) -> Place:
    return judge(told, seen, copies_are_wrong=copies_are_wrong, put_aside=frozenset(aside))


THREE = told_of("accepted", "accepted", "accepted")


class TestOneDevice:
    def test_what_was_accepted_and_is_there_in_order_is_clean(self) -> None:
        assert find(THREE, seen_of(1, 2, 3)) == Place.clean()
        assert THREE.accepted_events() == 3

    def test_an_event_that_is_nowhere_is_lost(self) -> None:
        found = find(THREE, seen_of(1, 3))

        assert (found.lost.count, found.lost.examples, found.is_clean) == (1, ["e-2"], False)
        assert THREE.missing(seen_of(1, 3)) == ["e-2"]

    def test_an_event_put_aside_by_the_sink_is_explained(self) -> None:
        found = find(THREE, seen_of(1, 3), "e-2")

        assert (found.lost.count, found.dead_lettered.examples) == (0, ["e-2"])
        assert found.is_clean

    def test_two_rows_of_an_event_are_one_too_many(self) -> None:
        found = find(THREE, seen_of(1, 2, 3, 2, 2))

        assert (found.duplicated.examples, found.is_clean) == (["e-2"], False)

    def test_copies_in_kafka_are_as_they_should_be(self) -> None:
        assert find(THREE, seen_of(1, 2, 3, 1, 2), copies_are_wrong=False).is_clean

    def test_offsets_against_the_order_of_the_answers(self) -> None:
        found = find(THREE, seen_of(1, 3, 2, sequence=0))

        assert (found.inverted.examples, found.is_clean) == (["phone-1"], False)

    def test_one_device_on_two_partitions(self) -> None:
        first, *others = seen_of(1, 2, 3)
        found = find(THREE, [msgspec.structs.replace(first, partition=4), *others])

        assert (found.inverted.examples, found.is_clean) == (["phone-1"], False)

    def test_counts_that_do_not_rise(self) -> None:
        found = find(THREE, seen_of(1, 2, 3, sequence=7))

        assert (found.inverted.examples, found.is_clean) == (["phone-1"], False)

    def test_an_event_that_says_something_else(self) -> None:
        first, second, third = seen_of(1, 2, 3)
        found = find(THREE, [first, msgspec.structs.replace(second, digest="other"), third])

        assert (found.altered.examples, found.is_clean) == (["e-2"], False)

    def test_a_later_copy_that_says_something_else(self) -> None:
        copies = seen_of(1, 2, 3, 2)
        copies[-1] = msgspec.structs.replace(copies[-1], digest="other")

        assert find(THREE, copies, copies_are_wrong=False).altered.examples == ["e-2"]

    def test_an_event_of_unknown_content_is_not_judged_by_it(self) -> None:
        told = Told([Entry("phone-1", "e-1", "accepted")])

        assert find(told, seen_of(1, digest="whatever")).is_clean

    @pytest.mark.parametrize("outcome", ["rejected", "refused"])
    def test_an_event_that_was_turned_away(self, outcome: str) -> None:
        found = find(told_of("accepted", outcome), seen_of(1, 2))

        assert (found.never_sent.examples, found.is_clean) == (["e-2"], False)

    def test_an_event_that_nobody_sent(self) -> None:
        found = find(THREE, seen_of(1, 2, 3, 4))

        assert (found.never_sent.examples, found.is_clean) == (["e-4"], False)

    @pytest.mark.parametrize("numbers", [(1,), (1, 2)])
    @pytest.mark.parametrize("outcome", ["unanswered", None])
    def test_a_try_without_an_answer_may_be_there_or_not(
        self, numbers: tuple[int, ...], outcome: str | None
    ) -> None:
        """None: the process died while the POST was on its way."""
        assert find(told_of("accepted", outcome), seen_of(*numbers)).is_clean

    def test_of_other_devices_nothing_is_said(self) -> None:
        assert find(THREE, seen_of(1, 2, 3) + seen_of(4, device_id="phone-2")).is_clean

    def test_examples_are_few_however_many_are_wrong(self) -> None:
        found = find(told_of(*["accepted"] * 40), [])

        assert (found.lost.count, len(found.lost.examples)) == (40, EXAMPLES)


OUTCOMES = ("posted", "accepted", "duplicate", "rejected", "refused", "unanswered")
devices = st.sampled_from(["a", "b", "c"])
event_ids = st.sampled_from(["1", "2", "3", "4"])
entries = st.lists(
    st.builds(
        Entry,
        device_id=devices,
        event_id=event_ids,
        outcome=st.sampled_from(OUTCOMES),
        digest=st.just("d"),
    ),
    max_size=25,
)
seen_events = st.lists(
    st.tuples(
        devices, event_ids, st.integers(0, 4), st.integers(0, 1), st.sampled_from(["d", "x"])
    ),
    max_size=12,
)
Key = tuple[str, str]


def model(book: Sequence[Entry], seen: Sequence[Seen]) -> dict[str, Counter[str]]:
    """What `judge` should find, said naively: everything is looked up in whole lists."""
    known = {one.device_id for one in book}
    seen = [one for one in seen if one.device_id in known]
    there = [(one.device_id, one.event_id) for one in seen]
    acked = list(
        dict.fromkeys((one.device_id, one.event_id) for one in book if one.outcome == "accepted")
    )

    def outcomes(key: Key) -> set[str]:
        return {one.outcome for one in book if (one.device_id, one.event_id) == key}

    def is_possible(key: Key) -> bool:
        told = outcomes(key)
        return bool(told & {"accepted", "duplicate", "unanswered"}) or told == {"posted"}

    def firsts(device: str) -> list[Seen]:
        return [
            next(one for one in seen if (one.device_id, one.event_id) == key)
            for key in acked
            if key[0] == device and key in there
        ]

    def is_inverted(device: str) -> bool:
        rows = firsts(device)
        pairs = [(rows[i], rows[j]) for i in range(len(rows)) for j in range(i + 1, len(rows))]
        return any(
            one.partition != other.partition
            or one.offset >= other.offset
            or (one.sequence and other.sequence and one.sequence >= other.sequence)
            for one, other in pairs
        )

    return {
        "lost": Counter(id for device, id in acked if (device, id) not in there),
        "duplicated": Counter(id for _, id in {key for key in there if there.count(key) > 1}),
        "inverted": Counter(device for device in known if is_inverted(device)),
        "altered": Counter(
            id
            for _, id in {
                (one.device_id, one.event_id)
                for one in seen
                if one.digest != "d" and outcomes((one.device_id, one.event_id))
            }
        ),
        "never_sent": Counter(id for _, id in {key for key in there if not is_possible(key)}),
    }


def numbered(events: Sequence[tuple[str, str, int, int, str]]) -> list[Seen]:
    return [
        Seen(device, event_id, sequence, partition, offset, digest)
        for offset, (device, event_id, sequence, partition, digest) in enumerate(events)
    ]


@given(entries, seen_events)
def test_it_finds_what_a_naive_model_finds(
    book: list[Entry], events: list[tuple[str, str, int, int, str]]
) -> None:
    seen = numbered(events)
    found = judge(Told(book), seen, copies_are_wrong=True)

    for kind, wanted in model(book, seen).items():
        got = getattr(found, kind)
        assert got.count == wanted.total(), kind
        assert Counter(got.examples) <= wanted, kind
        assert len(got.examples) == min(EXAMPLES, got.count)


@given(entries, seen_events, st.integers(1, 5))
def test_shares_add_up_to_the_whole(
    book: list[Entry], events: list[tuple[str, str, int, int, str]], shares: int
) -> None:
    seen = numbered(events)
    whole, sum_of_shares = judge(Told(book), seen, copies_are_wrong=True), Place.clean()
    for number in range(shares):
        mine = [one for one in book if bucket_of(one.device_id, shares) == number]
        there = [one for one in seen if bucket_of(one.device_id, shares) == number]
        sum_of_shares.merge(judge(Told(mine), there, copies_are_wrong=True))

    for kind in Place.__struct_fields__:
        assert getattr(sum_of_shares, kind).count == getattr(whole, kind).count
