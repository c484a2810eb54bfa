"""What a tool that knows only /openapi.json sends, and whether answers are as that page says."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.gateway_app import KEY, GatewayUnderTest

# That a body beyond the schema is refused is not among them: what can be kept of it is kept.
CHECKS: list[Any] = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance,
]  # fmt: skip
calls = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))

with tempfile.TemporaryDirectory() as folder:  # read once: keys are in memory from then on
    gateway = GatewayUnderTest(Path(folder))
schema = schemathesis.openapi.from_asgi("/openapi.json", gateway.http.app)
statuses: Counter[int] = Counter()


@schema.parametrize()
@calls
def test_answers_to_a_known_caller_are_as_described(case: schemathesis.Case[Any]) -> None:
    answer = case.call(headers={"Authorization": f"Bearer {KEY}"})
    statuses[answer.status_code] += 1

    case.validate_response(answer, checks=CHECKS)


@schema.parametrize()
@calls
def test_answers_to_an_unknown_caller_are_as_described(case: schemathesis.Case[Any]) -> None:
    answer = case.call()

    assert answer.status_code != 200
    case.validate_response(answer, checks=CHECKS)


def test_the_calls_were_good_and_bad_ones_and_none_was_our_error() -> None:
    assert {200, 400} <= set(statuses)
    assert gateway.metrics.bugs._value.get() == 0
