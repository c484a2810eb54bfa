"""The door: which POSTs come in, decided by their heads."""

from __future__ import annotations

from gateway.contract.refusal import RefusalCode, Refused
from gateway.edge.admission import Place
from gateway.ingest.services import Services
from gateway.protocols.protocol import Head, Protocol


def admit(
    services: Services, protocol: Protocol, head: Head, received_ms: int
) -> tuple[str | None, Place]:
    """The write key, where the head tells it, and the POST's place. Raises Refused."""
    services.admission.check()  # a full gateway looks at nothing
    services.callers.check_address(head, received_ms / 1000)
    protocol.check(head)
    key = protocol.credentials(head)
    if key is not None:
        app_of(services, key, head, received_ms)  # an unknown key costs no body
    return key, services.admission.enter(key, services.body_limits.declared_bytes(head))


def app_of(services: Services, key: str | None, head: Head, received_ms: int) -> str:
    """The app that a key writes to. Raises Refused."""
    if key is None:
        text = "no write key: send it as `Authorization: Bearer KEY`"
        raise Refused(RefusalCode.MISSING_KEY, text)
    app = services.keys.app_of(key)
    if app is None:
        services.callers.guessed_wrong(head, received_ms / 1000)
        raise Refused(RefusalCode.UNKNOWN_KEY, "this write key is not known")
    return app
