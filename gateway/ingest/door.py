"""The door: which POSTs come in, decided by their heads."""

from __future__ import annotations

import logging

from gateway.contract.refusal import Refused
from gateway.ingest.post import BUG, Answered, Arrival, Post, app_of, bug, refusal
from gateway.ingest.services import Services

log = logging.getLogger(__name__)


def open_post(services: Services, arrival: Arrival, answered: Answered) -> Post | None:
    """A POST whose body is wanted; None when it has been answered."""
    try:
        return _admit(services, arrival, answered)
    except Refused as refused:
        answered(*refusal(services, arrival, refused))
    except Exception:
        log.exception(BUG, arrival.request_id)
        answered(*refusal(services, arrival, bug(services)))
    return None


def _admit(services: Services, arrival: Arrival, answered: Answered) -> Post:
    """Raises Refused."""
    services.admission.check()  # a full gateway looks at nothing
    head, protocol = arrival.head, arrival.protocol
    services.callers.check_address(head, arrival.received_ms / 1000)
    protocol.check(head)
    key = protocol.credentials(head)
    if key is not None:
        app_of(services, key, arrival)  # an unknown key costs no body
    place = services.admission.enter(key, services.body_limits.declared_bytes(head))
    return Post(services, arrival, key, place, answered)
