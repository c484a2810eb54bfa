"""How much may be in flight at once. What is beyond it is answered before its body is read."""

from __future__ import annotations

from gateway.contract.refusal import RefusalCode, Refused


class Admission:
    """Counts requests and bytes in flight; bytes are first what the head declares, or
    more where more comes, then records."""

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self.requests = 0
        self.bytes = 0

    def enter(self, declared_bytes: int) -> None:
        """Let one request in, or raise Refused."""
        if self.requests >= self._max_requests:
            raise _overloaded(f"{self.requests} requests are in flight")
        if self.requests and self.bytes + declared_bytes > self._max_bytes:
            raise _overloaded(f"{self.bytes} bytes are in flight")
        self.requests += 1
        self.bytes += declared_bytes

    def grow(self, more_bytes: int) -> None:
        """A body brings more than its head declared: chunks declare nothing. Raises Refused."""
        if self.requests > 1 and self.bytes + more_bytes > self._max_bytes:
            raise _overloaded(f"{self.bytes} bytes are in flight")
        self.bytes += more_bytes

    def resize(self, before: int, after: int) -> None:
        """The request's bytes are known better now: encoded records count, not the body."""
        self.bytes += after - before

    def leave(self, counted_bytes: int) -> None:
        self.requests -= 1
        self.bytes -= counted_bytes

    @property
    def pressure(self) -> float:
        """From 0, idle, to 1, full."""
        return max(self.requests / self._max_requests, self.bytes / self._max_bytes)


def _overloaded(text: str) -> Refused:
    return Refused(RefusalCode.OVERLOADED, f"the gateway is full: {text}")


def retry_after_seconds(pressure: float, chance: float) -> int:
    """Whole seconds a client should wait: 5 to 300, more under pressure, spread by `chance`.

    `chance` is uniform in [0, 1): without the spread all phones would come back at once.
    """
    base = 5 + 25 * min(max(pressure, 0.0), 1.0)
    return min(300, max(5, round(base * (0.75 + chance))))
