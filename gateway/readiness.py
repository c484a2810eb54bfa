"""Whether an event sent now can be kept, and if not, what is lacking."""

from __future__ import annotations

from gateway.contract.readiness import Lack, Lacks
from gateway.edge.keys import KeyRing
from gateway.publish.publisher import Publisher


class Readiness:
    """Asked whenever somebody wants to know."""

    def __init__(self, publisher: Publisher, keys: KeyRing) -> None:
        self._publisher = publisher
        self._keys = keys
        self.is_draining = False

    def lacks(self) -> Lacks:
        found = dict(self._publisher.lacks())
        if not len(self._keys):
            found[Lack.KEYS] = "no write key is known; `telemetry-gateway keys add` makes one"
        if self.is_draining:
            found[Lack.DRAINING] = "told to stop: no new connections"
        return found
