"""The strict pass over a vendor's events says what reading them key by key says."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateway.contract.event import Context, Device, Event
from gateway.contract.verdict import Code, Rejection
from gateway.protocols.repeated import Repeated, Unusual, shape_of, take_context
from tests.bench import vendors
from tests.fuzz.both_ways import READERS, SEEDS, compare, post
from tests.gateway_app import KEY, GatewayUnderTest

POSTS = 500
BASIC = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()


@pytest.mark.parametrize("vendor", SEEDS)
def test_both_ways_say_the_same_of_odd_events(vendor: str) -> None:
    taken = 0
    for number in range(POSTS):
        dice = Random(f"{vendor}:{number}")
        taken += compare(vendor, post(dice, vendor))["strict"]

    assert taken > POSTS  # of about three a POST, most


@pytest.mark.parametrize("vendor", SEEDS)
def test_the_strict_pass_takes_what_mobile_sdks_usually_send(vendor: str) -> None:
    usual = [Raw(msgspec.json.encode(one)) for one in SEEDS[vendor][-2:]]

    assert all(strict is not None for strict, _ in READERS[vendor](usual))


def _raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))


_loose_shape = shape_of(["model", "maker"])


def _take_two(keys: dict[str, Raw]) -> tuple[bytes, bytes]:
    return bytes(keys.pop("model", b"")), bytes(keys.pop("maker", b""))


def _take_model(keys: dict[str, Raw], prefix: str) -> str:
    return prefix + bytes(keys.pop("model")).decode()


def _add(keys: dict[str, Raw]) -> None:
    keys["more"] = Raw(b"1")


class TestRepeated:
    def test_what_is_repeated_is_read_once(self) -> None:
        reads: list[str] = []

        def read(keys: dict[str, Raw], prefix: str) -> str:
            reads.append(prefix)
            return _take_model(keys, prefix)

        repeated = Repeated(shape_of(["model"]), read)
        found: list[str] = []
        for model, own in (("a", 1), ("a", 2), ("b", 3)):
            value, left = repeated.take(_raw({"model": model, "own": own}), "x")
            found.append(value)
            assert left == {"own": Raw(str(own).encode())}

        assert found == ['x"a"', 'x"a"', 'x"b"']
        assert len(reads) == 2

    def test_what_stands_beside_is_compared_too(self) -> None:
        repeated = Repeated(shape_of(["model"]), _take_model)

        found = [repeated.take(_raw({"model": "a"}), prefix)[0] for prefix in "xxxyy"]

        assert found == ['x"a"', 'x"a"', 'x"a"', 'y"a"', 'y"a"']

    def test_a_flag_is_no_number(self) -> None:
        decode = shape_of(["model"], ["up"]).decoder.decode

        assert decode(b'{"model":1,"up":true}') == decode(b'{"up":true,"model":1}')
        with pytest.raises(msgspec.ValidationError):
            decode(b'{"up":1}')
        with pytest.raises(msgspec.ValidationError):
            decode(b'{"model":true}')

    def test_a_reader_that_adds_keys_is_refused(self) -> None:
        repeated = Repeated(shape_of(["model"]), _add)

        with pytest.raises(Unusual):
            repeated.take(Raw(b"{}"))


_names = st.sampled_from(["model", "maker", "own", "more", "a,b", 'q"{'])
_values = st.sampled_from([1, 12, "x", 'y"}', ["model"], {"model": 1, "own": {}}])
_objects = st.lists(st.tuples(_names, _values), max_size=6)


def _written(members: Sequence[tuple[str, object]], *, is_spaced: bool) -> Raw:
    """As it stands, a name twice too."""
    comma, colon = (", ", ": ") if is_spaced else (",", ":")
    pairs = [json.dumps(name) + colon + json.dumps(value) for name, value in members]
    return Raw(b"{%b}" % comma.join(pairs).encode())


class TestAlike:
    """Objects that begin or end alike say what they say when each is read alone."""

    @given(head=_objects, tail=_objects, middles=st.lists(_objects, max_size=6),
           is_spaced=st.booleans())  # fmt: skip
    def test_each_object_says_what_it_says_alone(
        self,
        head: list[tuple[str, object]],
        tail: list[tuple[str, object]],
        middles: list[list[tuple[str, object]]],
        is_spaced: bool,
    ) -> None:
        head = [("long", "text of an object " * 3), *head]  # worth comparing
        raws = [_written([*head, *one, *tail], is_spaced=is_spaced) for one in middles]
        raws += [_written([*one, *tail, *head], is_spaced=is_spaced) for one in middles]
        repeated = Repeated(_loose_shape, _take_two)

        for raw in raws:
            try:
                alone = Repeated(_loose_shape, _take_two).take(raw)
            except msgspec.ValidationError:
                continue
            value, left = repeated.take(raw)
            assert value == alone[0]
            assert list(left.items()) == list(alone[1].items())

    def test_what_stands_between_is_compared(self) -> None:
        repeated = Repeated(_loose_shape, _take_two)
        objects = [{"long": "a" * 64, "own": n, "model": "b" if n == 3 else "a"} for n in range(5)]

        models = [repeated.take(_raw(one))[0][0] for one in objects]

        assert models == [b'"a"', b'"a"', b'"a"', b'"b"', b'"a"']

    def test_only_the_rest_is_decoded_of_what_begins_alike(self) -> None:
        repeated = Repeated(_loose_shape, _take_two)
        objects = [{"model": "a" * 64, "own": number} for number in range(4)]

        lefts = [repeated.take(_raw(one))[1] for one in objects]

        assert lefts == [{"own": Raw(b"%d" % number)} for number in range(4)]
        rest = repeated.alike and repeated.alike.rest_of(b'{"model":"%b","own":9}' % (b"a" * 64))
        assert rest == b'{"own":9}'


def _event(number: int, model: str | None, *, has_context: bool = True) -> Event:
    context = Context(device=Device(id="install-1", model=model)) if has_context else None
    return Event(event_id=f"e-{number}", type="app_open", timestamp=None, context=context)


class TestTakeContext:
    def test_what_all_events_repeat_is_their_batch_s(self) -> None:
        rejection = Rejection(1, Code.INVALID_JSON, "broken", "", b"")
        events: list[Event | Rejection] = [_event(0, "a"), rejection, _event(2, "a")]

        assert take_context(events) == Context(device=Device(id="install-1", model="a"))
        assert [one.context for one in events if isinstance(one, Event)] == [None, None]

    @pytest.mark.parametrize(
        "other", [_event(1, "b"), _event(1, None), _event(1, "a", has_context=False)]
    )
    def test_where_one_differs_each_keeps_its_own(self, other: Event) -> None:
        for events in ([_event(0, "a"), other], [other, _event(0, "a")]):
            before = [one.context for one in events]

            assert take_context(events) is None
            assert [one.context for one in events] == before

    def test_no_events_have_none(self) -> None:
        assert take_context([]) is None

    def test_a_dead_letter_knows_the_device_of_its_post(self, gateway: GatewayUnderTest) -> None:
        calls = vendors.segment()["batch"][:2]
        calls[1].pop("event")
        gateway.post({"batch": calls, "sentAt": vendors.SENT_AT}, "/v1/b", authorization=BASIC)

        (letter,) = gateway.publisher.of("app-events-dead")
        assert dict(letter.headers)["device_id"] == vendors.DEVICE.encode()
