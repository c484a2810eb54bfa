"""Why Kafka does not let us in: told by the option to mend, and apart from a Kafka that is away."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from gateway.contract.kafka_refusal import knock, why_refused


def verification(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code, error.verify_message = code, "so says OpenSSL"
    return error


def behind(cause: BaseException) -> KafkaError:
    error = KafkaConnectionError("Connection at h:1 closed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SaslAuthenticationFailed("no"), "TELEMETRY_KAFKA_SASL_PASSWORD: "),
        (UnsupportedSaslMechanismError("no"), "TELEMETRY_KAFKA_SASL_MECHANISM: "),
        (TopicAuthorizationFailedError("t"), "a topic is forbidden to us"),
        (verification(20), "TELEMETRY_KAFKA_SSL_CA_PATH: "),
        (verification(62), "TELEMETRY_KAFKA_BOOTSTRAP: "),
        (
            behind(asyncio.IncompleteReadError(b"x", 0x15030300)),
            "TELEMETRY_KAFKA_SECURITY_PROTOCOL",
        ),
    ],
    ids=repr,
)
def test_a_refusal_names_the_option(error: BaseException, said: str) -> None:
    assert (why_refused(error) or "").startswith(said)


@pytest.mark.parametrize(
    "error",
    [ConnectionRefusedError(111, "no"), OSError(58, "not Kafka's 58"), TimeoutError(),
     KafkaConnectionError("away"), behind(ConnectionResetError(104, "gone"))],
    ids=repr,
)  # fmt: skip
def test_whoever_is_away_does_not_refuse(error: BaseException) -> None:
    assert why_refused(error) is None


class _Open:
    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


async def test_the_first_broker_that_is_there_decides() -> None:
    asked: list[tuple[str, int]] = []
    opened = _Open()

    async def dial(host: str, port: int, **_: Any) -> _Open:
        asked.append((host, port))
        if host == "away":
            raise ConnectionRefusedError
        if host == "no":
            raise SaslAuthenticationFailed("no")
        return opened

    assert await knock("away:1,yes:2,no:3", {}, dial, 1) is None
    assert opened.is_closed
    assert asked == [("away", 1), ("yes", 2)]
    assert "SASL_PASSWORD" in (await knock("away:1,no:3", {}, dial, 1) or "")


async def test_a_broker_that_says_nothing_is_given_up() -> None:
    async def dial(*_: Any, **__: Any) -> _Open:
        await asyncio.Event().wait()
        return _Open()

    assert await knock("silent:1", {}, dial, 0.01) is None
