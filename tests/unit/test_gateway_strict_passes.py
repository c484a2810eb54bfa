"""The strict pass over a vendor's events says what reading them key by key says."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from msgspec import Raw

from gateway.protocols.repeated import Repeated, Unusual, shape_of
from tests.fuzz.both_ways import READERS, SEEDS, compare, post

POSTS = 500


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
            raw = Raw(msgspec.json.encode({"model": model, "own": own}))
            keys = msgspec.json.decode(raw, type=dict[str, Raw])
            found.append(repeated.take(raw, keys, "x"))
            assert keys == {"own": Raw(str(own).encode())}

        assert found == ['x"a"', 'x"a"', 'x"b"']
        assert len(reads) == 2

    def test_what_stands_beside_is_compared_too(self) -> None:
        repeated = Repeated(shape_of(["model"]), _take_model)
        raw = Raw(b'{"model":"a"}')

        found = [
            repeated.take(raw, {"model": Raw(b'"a"')}, "x"),
            repeated.take(raw, {"model": Raw(b'"a"')}, "y"),
        ]

        assert found == ['x"a"', 'y"a"']

    def test_a_flag_is_no_number(self) -> None:
        shape = shape_of(["model"], ["up"])

        assert shape.decode(b'{"model":1,"up":true}') == shape.decode(b'{"up":true,"model":1}')
        with pytest.raises(msgspec.ValidationError):
            shape.decode(b'{"up":1}')
        with pytest.raises(msgspec.ValidationError):
            shape.decode(b'{"model":true}')

    def test_a_reader_that_adds_keys_is_refused(self) -> None:
        repeated = Repeated(shape_of(["model"]), _add)

        with pytest.raises(Unusual):
            repeated.take(Raw(b"{}"), {})
