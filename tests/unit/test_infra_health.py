"""The health check that a container runs without a shell."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from gateway.runtime import BAD_USAGE, FOUND_WRONG, GOOD
from infra.health.__main__ import main
from tests.http_serving import Serving, answer


def _handle(request: BaseHTTPRequestHandler) -> None:
    status, body = (200, b"") if request.path == "/livez" else (503, b'{"reasons":["no Kafka"]}')
    answer(request, status, [], body)


@pytest.fixture
def server() -> Iterator[Serving]:
    serving = Serving(_handle)
    yield serving
    serving.close()


def test_an_answer_of_200_is_health(server: Serving) -> None:
    assert main([f"{server.url}/livez"]) == GOOD


def test_another_answer_is_none_and_its_reason_is_told(
    server: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"{server.url}/readyz"]) == FOUND_WRONG
    assert '503 {"reasons":["no Kafka"]}' in capsys.readouterr().err


def test_nobody_who_answers_is_none(server: Serving) -> None:
    server.close()

    assert main([f"{server.url}/livez"]) == FOUND_WRONG


@pytest.mark.parametrize("arguments", [[], ["https://127.0.0.1"], ["http://a/b", "http://a/c"]])
def test_wrong_usage_is_told(arguments: list[str]) -> None:
    assert main(arguments) == BAD_USAGE
