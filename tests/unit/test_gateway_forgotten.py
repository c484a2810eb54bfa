"""Who asked to be forgotten is stopped at the door, and nobody else is."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.forgotten import Kind, Wish, Wishes, mark_of
from tests.builders import RECEIVED_MS, make_batch, make_event
from tests.gateway_app import APP, GatewayUnderTest

IDS = [f"0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e{number:02x}" for number in range(4)]


def wish(
    wishes: Wishes, kind: Kind, identifier: str, *, app: str = APP, past_only: bool = False
) -> None:
    value = msgspec.json.encode(Wish(app, kind, RECEIVED_MS, past_only))
    wishes.take(mark_of(app, kind, identifier).encode(), value)


def test_a_forgotten_device_is_told_so_and_nothing_of_it_is_kept(gateway: GatewayUnderTest) -> None:
    wish(gateway.wishes, Kind.DEVICE, "device-1")
    other = {"device": {"id": "device-2"}}
    batch = make_batch(
        make_event(event_id=IDS[0]), make_event(event_id=IDS[1], context=other),
        {"type": "app_open"}, make_event(event_id=IDS[2]),
    )  # fmt: skip

    answer = gateway.post(batch).json()

    assert answer["accepted"] == 1
    told = [(one["index"], one["code"]) for one in answer["rejected"]]
    assert sorted(told) == [(0, "forgotten"), (2, "missing_field"), (3, "forgotten")]
    assert [row["device_id"] for row in gateway.rows()] == ["device-2"]
    assert [one.value for one in gateway.publisher.of("app-events-dead")] != []
    kept = b"".join(one.value for one in gateway.publisher.of("app-events-dead"))
    assert IDS[0].encode() not in kept
    assert gateway.metrics.rejections.counts["forgotten",] == 2
    assert gateway.count("rejected") == 3


def test_a_forgotten_user_is_stopped_on_any_device(gateway: GatewayUnderTest) -> None:
    wish(gateway.wishes, Kind.USER, "u-1")

    answer = gateway.post(
        make_batch(make_event(event_id=IDS[0], user_id="u-1"), make_event(event_id=IDS[1]))
    ).json()

    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [(0, "forgotten")]
    assert [row["event_id"] for row in gateway.rows()] == [IDS[1]]


def test_a_wish_for_the_past_or_of_another_app_stops_nobody(gateway: GatewayUnderTest) -> None:
    wish(gateway.wishes, Kind.DEVICE, "device-1", past_only=True)
    wish(gateway.wishes, Kind.DEVICE, "device-1", app="another")
    wish(gateway.wishes, Kind.USER, "device-1")

    assert gateway.post(make_batch()).json()["accepted"] == 1


def test_a_wish_taken_back_lets_them_in_again(gateway: GatewayUnderTest) -> None:
    wish(gateway.wishes, Kind.DEVICE, "device-1")
    gateway.wishes.take(mark_of(APP, Kind.DEVICE, "device-1").encode(), None)

    assert gateway.post(make_batch()).json()["accepted"] == 1
    assert not gateway.wishes.stops_any


@given(key=st.binary(max_size=70) | st.none(), value=st.binary(max_size=70) | st.none())
def test_what_is_no_wish_stops_nobody(key: bytes | None, value: bytes | None) -> None:
    wishes = Wishes()
    wishes.take(key, value)
    assert not wishes.stops_any


@pytest.mark.parametrize(("received_ms", "erased"), [(RECEIVED_MS, True), (RECEIVED_MS + 1, False)])
def test_a_wish_for_the_past_erases_what_had_come_by_then(received_ms: int, erased: bool) -> None:
    wishes = Wishes()
    wish(wishes, Kind.DEVICE, "d", past_only=True)
    assert wishes.erases(APP, "d", "", received_ms) is erased
    wish(wishes, Kind.DEVICE, "d")
    assert wishes.erases(APP, "d", "", received_ms)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_a_mark_tells_app_kind_and_id_apart(app: str, identifier: str) -> None:
    marks = {mark_of(app, kind, identifier) for kind in Kind}
    assert len(marks) == 2
