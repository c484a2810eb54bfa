"""Whatever comes for a Sentry envelope is answered, and is no error of ours."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.inputs import ATOMS, TOKENS
from tests.gateway_app import KEY, GatewayUnderTest

CAPTURES = Path(__file__).parents[1] / "contract" / "captures"
ENVELOPE_TOKENS = (
    *TOKENS, b"\n", b"\n\n", b'{"type":"event"}\n', b'{"type":"session","length":9}\n',
    b'"length":99999999999999999999', b'{"type":"sessions"}\n{"aggregates":[{"exited":1}]}\n',
)  # fmt: skip


def recorded(name: str) -> Iterator[bytes]:
    for request in json.loads((CAPTURES / name).read_text(encoding="utf-8"))["requests"]:
        body = base64.b64decode(request["body_base64"])
        yield gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


SEEDS = [*recorded("sentry-python.json"), *recorded("sentry-node.json")]


def damaged(dice: Random, body: bytes) -> bytes:
    """Some bytes cut out, put in, or replaced by what has broken parsers before."""
    found = bytearray(body)
    for _ in range(dice.randrange(1, 6)):
        start = dice.randrange(len(found) + 1)
        end = min(len(found), start + dice.choice((0, 0, 1, 7, 90)))
        found[start:end] = dice.choice((b"", dice.choice(ENVELOPE_TOKENS), dice.randbytes(3)))
    return bytes(found)


def replaced(dice: Random, value: object, depth: int = 0) -> object:
    """The same JSON with some values that nobody expects there."""
    if dice.random() < 0.06 * depth:
        return dice.choice(ATOMS)
    if isinstance(value, dict):
        return {name: replaced(dice, part, depth + 1) for name, part in value.items()}
    if isinstance(value, list):
        return [replaced(dice, part, depth + 1) for part in value]
    return value


def reworded(dice: Random, body: bytes) -> bytes:
    lines = [json.loads(line) for line in body.split(b"\n") if line]
    texts = (json.dumps(replaced(dice, line)) for line in lines)
    return "\n".join(texts).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayUnderTest]:
    folder = tmp_path_factory.mktemp("gateway")
    under_test = GatewayUnderTest(folder, unknown_keys_per_minute=1_000_000)
    with under_test.http:
        yield under_test


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), change=st.sampled_from([damaged, reworded]))
def test_no_damage_is_an_error_of_ours(
    answering: GatewayUnderTest, seed: int, change: object
) -> None:
    assert callable(change)
    dice = Random(seed)
    body = change(dice, dice.choice(SEEDS))
    path = dice.choice(("/api/42/envelope/", "/api/42/store/", "/sentry/api/x/envelope"))
    answer = answering.post(body, path, authorization="", x_sentry_auth=f"Sentry sentry_key={KEY}")

    assert answer.status_code in (200, 400, 403, 413)
    assert answering.metrics.bugs._value.get() == 0
    for record in answering.publisher.of("app-events"):
        assert json.loads(record.value)["event_id"]
    answering.publisher.records.clear()
