"""How many phones post at a time: steady, or a spike in the middle third."""

from __future__ import annotations

import os

from locust import LoadTestShape


class Steady(LoadTestShape):
    """All phones from the first second to the last."""

    def tick(self) -> tuple[int, float] | None:
        devices, seconds = _options()
        now = float(self.get_run_time())  # type: ignore[no-untyped-call]  # locust is untyped
        return (devices, float(devices)) if now < seconds else None


class Spike(LoadTestShape):
    """A tenth of the phones, all of them in the middle third, a tenth again."""

    def tick(self) -> tuple[int, float] | None:
        devices, seconds = _options()
        now = float(self.get_run_time())  # type: ignore[no-untyped-call]  # locust is untyped
        if now >= seconds:
            return None
        users = devices if seconds / 3 <= now < 2 * seconds / 3 else max(1, devices // 10)
        return users, float(devices)


SHAPES = {"steady": Steady, "spike": Spike}


def _options() -> tuple[int, float]:
    devices = int(os.environ["TELEMETRY_LOADTEST_DEVICES"])
    return devices, float(os.environ["TELEMETRY_LOADTEST_SECONDS"])
