"""Who may send how often: limits per address and per device, and on guessing write keys.

All are off unless an operator sets them: behind a balancer, or a mobile carrier's gateway, many
phones share one address.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gateway.contract.event import Batch, Event
from gateway.contract.refusal import RefusalCode
from gateway.edge.addresses import Addresses
from gateway.edge.admission import Shed
from gateway.edge.rates import Rates
from gateway.protocols.protocol import Head

FULL = 1.0  # the pressure that a caller over its rate is told


class CallerLimits(Struct, frozen=True, kw_only=True):
    """0 switches a limit off."""

    address_requests_per_second: float
    device_requests_per_second: float
    unknown_keys_per_minute: float
    trusted_proxies: str


class Callers:
    """The rates of every caller, counted in this process."""

    def __init__(self, limits: CallerLimits) -> None:
        """Raises ConfigError."""
        self._addresses = Addresses(limits.trusted_proxies)
        self._requests = _rates(limits.address_requests_per_second)
        self._guesses = _rates(limits.unknown_keys_per_minute / 60)
        self._devices = _rates(limits.device_requests_per_second)

    def check_address(self, head: Head, now_seconds: float) -> None:
        """Before a key is looked up, so that nobody over the limit learns of a right guess.
        Raises Shed."""
        if self._requests is None and self._guesses is None:
            return
        name = self._addresses.name_of(head)
        if self._guesses is not None and not self._guesses.has(name, now_seconds):
            text = "this address has sent too many unknown write keys"
            raise Shed(RefusalCode.TOO_MANY_UNKNOWN_KEYS, text, FULL)
        if self._requests is not None and not self._requests.take(name, now_seconds):
            text = "this address sends more requests than allowed"
            raise Shed(RefusalCode.ADDRESS_OVER_RATE, text, FULL)

    def guessed_wrong(self, head: Head, now_seconds: float) -> None:
        """Count an unknown key against its address."""
        if self._guesses is not None:
            self._guesses.take(self._addresses.name_of(head), now_seconds)

    def check_devices(self, batches: Sequence[Batch], now_seconds: float) -> None:
        """Each device of a POST pays one request. Raises Shed."""
        if self._devices is None:
            return
        for name in {one for batch in batches for one in _devices_of(batch)}:
            if not self._devices.take(name, now_seconds):
                text = "this device sends more requests than allowed"
                raise Shed(RefusalCode.DEVICE_OVER_RATE, text, FULL)


def _rates(per_second: float) -> Rates | None:
    return Rates(per_second) if per_second else None


def _devices_of(batch: Batch) -> set[str]:
    """The devices that its events will be keyed by."""
    contexts = [one.context for one in batch.events if isinstance(one, Event)]
    parts = [one.device for one in (batch.context, *contexts) if one is not None]
    return {one.id for one in parts if one is not None and one.id}
