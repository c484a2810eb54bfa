"""A load run as it is planned: which phones, for how long, and how many at a time. Pure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

VARIABLE = "TELEMETRY_LOADTEST_PLAN"  # how the process that puts the load is told

Shape = Literal["steady", "spike", "herd", "retry-storm"]


class Plan(Struct, frozen=True, kw_only=True):
    """What `telemetry-loadtest run` was asked for."""

    shape: Shape
    devices: int
    seconds: int
    seed: int
    time_factor: float  # seconds of a phone in one of the run
    write_key: str
    ledger: str = ""  # a file; empty: none is kept

    def users_at(self, seconds: float) -> int | None:
        """Phones that are there at this second of the run; None when it is over."""
        if seconds >= self.seconds:
            return None
        in_middle_third = self.seconds / 3 <= seconds < 2 * self.seconds / 3
        if self.shape == "spike" and not in_middle_third:
            return max(1, self.devices // 10)
        return self.devices

    @property
    def outage_seconds(self) -> float:
        """How long no phone reaches the gateway, from the beginning of the run."""
        return self.seconds / 3 if self.shape == "herd" else 0.0
