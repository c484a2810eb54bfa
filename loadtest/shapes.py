"""Locust's view of a plan: how many phones there are at a time."""

from __future__ import annotations

from locust import LoadTestShape

from loadtest.plan import Plan


class PlannedShape(LoadTestShape):
    """Asks `plan`, which a subclass sets; phones come and go within a second."""

    abstract = True
    plan: Plan

    def tick(self) -> tuple[int, float] | None:
        now = float(self.get_run_time())  # type: ignore[no-untyped-call]  # locust is untyped
        users = self.plan.users_at(now)
        return None if users is None else (users, float(self.plan.devices))
