"""Why Kafka does not let us in, in the words of our options: one clear error in place of many.

Told apart are a broker that is not there, which comes back by itself, and one that refuses us,
which an operator must mend.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Protocol

from gateway.contract.pem import OTHER_NAMES

PREFIX = "TELEMETRY_KAFKA_"
ACLS = "`telemetry-infra acls` says what each process needs"
REFUSALS = {  # by Kafka's error codes
    29: f"a topic is forbidden to us; {ACLS}",
    30: f"the consumer group is forbidden to us; {ACLS}",
    31: f"something of the cluster is forbidden to us; {ACLS}",
    33: f"{PREFIX}SASL_MECHANISM: the broker does not take it",
    34: f"{PREFIX}SECURITY_PROTOCOL: the broker expects no SASL at this port, or another",
    53: f"the transactional id is forbidden to us; {ACLS}",
    58: f"{PREFIX}SASL_PASSWORD: the broker knows no such user with this password",
    65: f"the producer may not write; {ACLS}",
}
TLS_ALERT = 0x1503  # the first bytes of what a TLS server says to whoever speaks none


class Connection(Protocol):
    """One to a broker."""

    def close(self) -> object: ...


Dial = Callable[..., Awaitable[Connection]]


def why_refused(error: BaseException) -> str | None:
    """The option and what is wrong with it; None: the error is of another kind."""
    for one in _chain(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            if one.verify_code in OTHER_NAMES:
                said = one.verify_message
                return f"{PREFIX}BOOTSTRAP: the broker's certificate is not for this name: {said}"
            return f"{PREFIX}SSL_CA_PATH: it does not vouch for the broker: {one.verify_message}"
        if isinstance(one, ssl.SSLError):
            reason = one.reason or str(one)
            if "ALERT" in reason:
                return f"{PREFIX}SSL_CERTIFICATE_PATH: the broker does not take it: {reason}"
            if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
                return f"{PREFIX}SECURITY_PROTOCOL: the broker speaks no TLS at this port"
        if isinstance(one, asyncio.IncompleteReadError) and (one.expected or 0) >> 16 == TLS_ALERT:
            return f"{PREFIX}SECURITY_PROTOCOL: the broker speaks TLS at this port"
        code = getattr(one, "errno", None)
        if not isinstance(one, OSError) and code in REFUSALS:
            return REFUSALS[code]
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


async def knock(
    bootstrap: str, security: Mapping[str, Any], dial: Dial, seconds: float
) -> str | None:
    """Connect as any client would: why a broker refuses us, or None. `dial` is aiokafka's."""
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        if not port.isdigit():
            continue  # aiokafka has its own reading of an address
        try:
            async with asyncio.timeout(seconds):
                connection = await dial(
                    host.strip("[]"),
                    int(port),
                    client_id="telemetry-knock",
                    request_timeout_ms=int(seconds * 1000),
                    **security,
                )
        except Exception as error:  # noqa: BLE001  # what is no refusal, the client itself will meet
            reason = why_refused(error)
            if reason is not None:
                return reason
        else:
            connection.close()
            return None
    return None
