"""The port of a channel: an alert in, taken, or one of two failures out."""

from __future__ import annotations

from typing import Protocol

from sinks.alerts.alert import Alert


class Failed(Exception):
    """Not now: the same alert again, later."""


class Refused(Exception):
    """Never this alert."""


class Delivery(Protocol):
    """One channel."""

    async def deliver(self, alert: Alert) -> None:
        """Returns when the other side has it. The same alert again has the same id.

        Raises Failed, Refused.
        """
