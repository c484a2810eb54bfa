"""How much may be in flight at once, for all and for each write key. What is beyond it is answered
before its body is read: 503 where the gateway is full, 429 where a key has more than its share."""

from __future__ import annotations

from msgspec import Struct

from gateway.contract.refusal import RefusalCode, Refused

LEAST_WAIT_SECONDS = 5
LONGEST_WAIT_SECONDS = 300


class Shed(Refused):
    """Turned away for now. `pressure` says how hard it was to come in: 1 is full."""

    def __init__(self, code: RefusalCode, text: str, pressure: float) -> None:
        super().__init__(code, text)
        self.pressure = pressure


class AdmissionLimits(Struct, frozen=True, kw_only=True):
    requests: int
    bytes: int
    key_percent: int  # of both, for one write key

    def of_one_key(self) -> tuple[int, int]:
        """Requests, at least one, and bytes."""
        return max(1, self.requests * self.key_percent // 100), self.bytes * self.key_percent // 100


class _Count:
    """What is in flight under one bound."""

    __slots__ = ("bytes", "max_bytes", "max_requests", "requests", "turned_away")

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self.max_requests = max_requests
        self.max_bytes = max_bytes
        self.requests = 0
        self.bytes = 0
        self.turned_away = 0.0  # of late: as many as come in make it forget

    def has_no_room(self, more_bytes: int) -> bool:
        """A request alone may be larger than the bound."""
        return self.requests >= self.max_requests or (
            self.requests > 0 and self.bytes + more_bytes > self.max_bytes
        )

    def enter(self, declared_bytes: int) -> None:
        self.requests += 1
        self.bytes += declared_bytes
        self.turned_away -= self.turned_away / self.max_requests

    @property
    def pressure(self) -> float:
        """0 idle, 1 full; beyond it by how many are turned away for each that comes in."""
        load = max(self.requests / self.max_requests, self.bytes / self.max_bytes)
        return load + self.turned_away / self.max_requests

    def turn_away(self, code: RefusalCode, text: str) -> Shed:
        self.turned_away += 1
        return Shed(code, text, self.pressure)


class Place:
    """One request in flight, counted for the gateway and for its write keys. Its bytes are first
    what the head declares, or more where more comes, then those of its records."""

    __slots__ = ("_admission", "_counts", "_keys", "bytes")

    def __init__(self, admission: Admission, total: _Count, declared_bytes: int) -> None:
        self._admission = admission
        self._counts = [total]
        self._keys: list[str] = []
        self.bytes = declared_bytes

    def claim(self, key: str) -> None:
        """The request writes with this key; one of several keys counts for each. Raises Shed."""
        if key not in self._keys:
            self._counts.append(self._admission.enter_key(key, self.bytes))
            self._keys.append(key)

    def grow(self, size: int) -> None:
        """More of the body is here than was declared: chunks declare nothing. Raises Shed."""
        more = size - self.bytes
        for count in self._counts:
            if count.requests > 1 and count.bytes + more > count.max_bytes:
                raise self._admission.no_room(count)
        self.resize(size)

    def resize(self, size: int) -> None:
        """The request's bytes are known better now: encoded records count, not the body."""
        more = size - self.bytes
        self.bytes = size
        for count in self._counts:
            count.bytes += more

    def leave(self) -> None:
        for count in self._counts:
            count.requests -= 1
            count.bytes -= self.bytes
        for key in self._keys:
            self._admission.forget_idle(key)


class Admission:
    """All requests in flight. A key takes room in memory only while it has one of them."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self._total = _Count(limits.requests, limits.bytes)
        self._of_one_key = limits.of_one_key()
        self._by_key: dict[str, _Count] = {}

    @property
    def requests(self) -> int:
        return self._total.requests

    @property
    def bytes(self) -> int:
        return self._total.bytes

    @property
    def keys(self) -> int:
        """Write keys with a request in flight."""
        return len(self._by_key)

    @property
    def pressure(self) -> float:
        return self._total.pressure

    def check(self) -> None:
        """Whether there is any room at all, before a request is looked at. Raises Shed."""
        if self._total.requests >= self._total.max_requests:
            raise self.no_room(self._total)

    def enter(self, key: str | None, declared_bytes: int) -> Place:
        """Let one request in; `key` is None where its body must tell it. Raises Shed."""
        if self._total.has_no_room(declared_bytes):
            raise self.no_room(self._total)
        place = Place(self, self._total, declared_bytes)
        if key is not None:
            place.claim(key)
        self._total.enter(declared_bytes)
        return place

    def enter_key(self, key: str, declared_bytes: int) -> _Count:
        """For `Place`: count its request for `key`. Raises Shed."""
        share = self._by_key.get(key)
        if share is None:
            share = self._by_key[key] = _Count(*self._of_one_key)
        elif share.has_no_room(declared_bytes):
            raise self.no_room(share)
        share.enter(declared_bytes)
        return share

    def forget_idle(self, key: str) -> None:
        """For `Place`: a key without requests has no count."""
        if self._by_key[key].requests == 0:
            del self._by_key[key]

    def no_room(self, count: _Count) -> Shed:
        """Why nothing more comes in under this bound."""
        held = f"{count.requests} requests and {count.bytes} bytes are in flight"
        if count is self._total:
            return count.turn_away(RefusalCode.OVERLOADED, f"the gateway is full: {held}")
        text = f"this write key has more than its share: {held}"
        return count.turn_away(RefusalCode.KEY_OVER_SHARE, text)


def retry_after_seconds(pressure: float, chance: float) -> int:
    """Whole seconds a client should wait: 5 to 15 when idle, 15 to 45 when full, up to 300 where
    many are turned away for each that comes in.

    `chance` is uniform in [0, 1): without the spread all phones would come back at once, and a
    wait cut at its limit would gather them there.
    """
    longest = min(LONGEST_WAIT_SECONDS, 15 + 30 * max(pressure, 0.0))
    return max(LEAST_WAIT_SECONDS, round(longest * (1 + 2 * chance) / 3))
