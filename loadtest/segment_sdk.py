"""A real SDK as it is: Segment's Python package, pointed at the gateway by its `host` option."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from segment.analytics.client import Client

from loadtest.ledger import Entry

TIMEOUT_SECONDS = 10  # of one of its POSTs
MAX_RETRIES = 3
MAX_WAIT_SECONDS = 30  # for all of its retries of one batch
CONTEXT = {
    "app": {"name": "Demo", "version": "1.5.0", "build": "150", "namespace": "com.example.demo"},
    "device": {"manufacturer": "Google", "model": "Pixel 8", "type": "android"},
    "os": {"name": "Android", "version": "15"},
    "locale": "en-US",
    "network": {"wifi": True, "cellular": False, "carrier": "T-Mobile"},
}


def run_segment(url: str, write_key: str, sessions: int) -> list[Entry]:
    """Let the SDK send some sessions of one install; what it was told of each event.

    Blocks until its queue is empty. A batch it gave up is unanswered.
    """
    lost: list[dict[str, Any]] = []
    client = Client(
        write_key,
        host=url,
        on_error=lambda error, batch: lost.extend(batch or ()),
        max_retries=MAX_RETRIES,
        timeout=TIMEOUT_SECONDS,
        max_total_backoff_duration=MAX_WAIT_SECONDS,
        max_rate_limit_duration=MAX_WAIT_SECONDS,
    )
    install = f"segment-{uuid4()}"
    event_ids = _play(client, install, sessions)
    client.flush()
    client.join()
    lost_ids = {str(one["messageId"]) for one in lost}
    return [
        Entry(install, one, "unanswered", reason="the SDK gave up")
        if one in lost_ids
        else Entry(install, one, "accepted")
        for one in event_ids
    ]


def _play(client: Client, install: str, sessions: int) -> list[str]:
    """The ids of the events that the SDK now has in its queue."""
    user = "user-1"
    known: dict[str, Any] = {"anonymous_id": install, "context": CONTEXT}
    calls = [client.identify(user, {"plan": "pro"}, **known)]
    for number in range(sessions):
        opened = {"from_background": number > 0, "version": "1.5.0", "build": "150"}
        calls += [
            client.track(user, "Application Opened", opened, **known),
            client.screen(user, name="Home", **known),
            client.track(user, "Order Completed", {"price": 9.99}, **known),
            client.track(user, "Application Backgrounded", {}, **known),
        ]
    return [str(event["messageId"]) for is_queued, event in calls if is_queued]
