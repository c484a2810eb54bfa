"""Scripts of faults, and for how many POSTs or how long each step lasts."""

from __future__ import annotations

import random
from itertools import islice
from typing import get_args

import pytest

from loadtest.faults import (
    DEFAULT_SCRIPT,
    OK,
    BadScript,
    Kind,
    Player,
    Step,
    parse_script,
    random_steps,
)


def test_a_script_is_steps() -> None:
    assert parse_script("ok, 503:7*3,429:0,413:9000*2,401") == [
        Step("ok"),
        Step("503", 7, 3),
        Step("429", 0),
        Step("413", 9000, 2),
        Step("401", 20),
    ]
    assert {one.kind for one in parse_script(DEFAULT_SCRIPT)} == set(get_args(Kind))


@pytest.mark.parametrize(
    "text", ["", "ok,", "500", "503:x", "cut*", "401:5*2", "refuse*3", "ok:-1"]
)
def test_what_is_no_script_is_said(text: str) -> None:
    with pytest.raises(BadScript):
        parse_script(text)


def test_steps_last_their_posts_and_then_all_is_well() -> None:
    player = Player(parse_script("ok*2,cut*3"))

    kinds = [player.next(0.0).kind for _ in range(7)]

    assert kinds == ["ok", "ok", "cut", "cut", "cut", "ok", "ok"]


def test_a_401_lasts_seconds_from_its_first_post() -> None:
    player = Player(parse_script("401:10,cut"))

    kinds = [player.next(now).kind for now in (5.0, 5.0, 14.9, 15.0, 15.0)]

    assert kinds == ["401", "401", "401", "cut", "ok"]


def test_dice_bring_every_fault_and_good_answers_between_them() -> None:
    steps = list(islice(random_steps(random.Random(7)), 400))

    assert {one.kind for one in steps} == set(get_args(Kind))
    assert {one.kind for one in steps[1::2]} == {OK.kind}
    assert steps == list(islice(random_steps(random.Random(7)), 400))
