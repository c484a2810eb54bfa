"""Rejected events on their way to `app-events-dead`: so many per second and app, then counted."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.contract.dead_letter import MAX_DOOR_ORIGINAL_BYTES, DeadLetter
from gateway.contract.event import Batch
from gateway.contract.record import Run
from gateway.contract.topics import APP_EVENTS_DEAD
from gateway.contract.verdict import Rejection
from gateway.prepare.context import Origin
from gateway.protocols.times import rfc3339


def dead_records(rejected: Sequence[Rejection], batch: Batch, origin: Origin) -> list[Run]:
    """One run for each rejected event: its original, cut, and the reason."""
    context = batch.context
    app_version = (context and context.app and context.app.version) or ""
    device_id = (context and context.device and context.device.id) or ""
    return [
        Run(
            APP_EVENTS_DEAD.name,
            (device_id or origin.request_id).encode("utf-8", "replace"),
            [one.original[:MAX_DOOR_ORIGINAL_BYTES]],
            DeadLetter(
                source="gateway",
                code=one.code,
                text=one.text,
                app_id=origin.app_id,
                protocol=origin.protocol,
                app_version=app_version[:64],
                device_id=device_id[:64],
                event_id=one.event_id,
                request_id=origin.request_id,
                received_at=rfc3339(origin.received_at),
                position=one.index,
            ).to_headers(),
        )
        for one in rejected
    ]


class RejectRate:
    """How many rejected events of each app are kept: a bucket of tokens per app."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._buckets: dict[str, tuple[float, float]] = {}  # app: (tokens, when, seconds)

    def take(self, app_id: str, wanted: int, now_seconds: float) -> int:
        """How many of `wanted` may be kept now. A bucket holds ten seconds' worth."""
        full = 10.0 * self._per_second
        tokens, when = self._buckets.get(app_id, (full, now_seconds))
        tokens = min(full, tokens + (now_seconds - when) * self._per_second)
        granted = min(wanted, int(tokens))
        self._buckets[app_id] = (tokens - granted, now_seconds)
        return granted
