"""ClickHouse's answers as the three failures of a sink."""

from __future__ import annotations

import pytest

from sinks.clickhouse.failures import failure_of
from sinks.sink import Misconfigured, Retryable, Unwritable

RETRY = (3, 107, 159, 202, 203, 209, 210, 236, 241, 242, 243, 252, 254, 265, 279, 285, 286, 290,
         319, 364, 425, 999, 1000)  # fmt: skip
PERMANENT = (6, 26, 27, 38, 41, 53, 72, 117, 321, 349, 376)
CONFIGURATION = (16, 47, 60, 81, 164, 192, 193, 194, 195, 291, 497, 516)


def _error(code: int, text: str = "why") -> str:
    return f"HTTP driver received HTTP status 500 Code: {code}. DB::Exception: {text}"


@pytest.mark.parametrize("code", RETRY)
def test_the_server_cannot_now(code: int) -> None:
    failure = failure_of(_error(code))

    assert isinstance(failure, Retryable)
    assert failure.cause == str(code)


@pytest.mark.parametrize("code", PERMANENT)
def test_a_row_is_at_fault(code: int) -> None:
    assert isinstance(failure_of(_error(code)), Unwritable)


@pytest.mark.parametrize("code", CONFIGURATION)
def test_the_operator_must_act(code: int) -> None:
    assert isinstance(failure_of(_error(code)), Misconfigured)


def test_too_many_partitions_in_one_insert_will_never_pass() -> None:
    text = "Too many partitions for single INSERT block (more than 100)"

    assert isinstance(failure_of(_error(252, text)), Misconfigured)


def test_without_a_code_it_is_the_network() -> None:
    failure = failure_of("connection reset by peer")

    assert isinstance(failure, Retryable)
    assert failure.cause == "network"


def test_the_code_of_the_answers_head_goes_before_its_text() -> None:
    failure = failure_of(_error(27, "cannot parse 'Code: 999. '"), code=27)

    assert isinstance(failure, Unwritable)
