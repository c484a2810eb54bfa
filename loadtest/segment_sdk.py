"""A real SDK as it is: Segment's Python package, pointed at the gateway by its `host` option."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from segment.analytics.client import Client

from loadtest.ledger import Ledger, Outcome

CONTEXT = {
    "app": {"name": "Demo", "version": "1.5.0", "build": "150", "namespace": "com.example.demo"},
    "device": {"manufacturer": "Google", "model": "Pixel 8", "type": "android"},
    "os": {"name": "Android", "version": "15"},
    "locale": "en-US",
    "network": {"wifi": True, "cellular": False, "carrier": "T-Mobile"},
}


def run_segment(url: str, write_key: str, rounds: int, ledger: Ledger) -> int:
    """Let the SDK send some sessions of one install; returns the number of its events.

    Its queue is flushed and its answers awaited; what it reports as failed is unanswered.
    """
    failed: list[Any] = []
    client = Client(
        write_key,
        host=url,
        on_error=lambda error, batch: failed.extend(batch or []),
        max_retries=3,
        timeout=10,
    )
    install = f"segment-{uuid4()}"
    known: dict[str, Any] = {"anonymous_id": install, "context": CONTEXT}
    sent: list[dict[str, Any]] = []
    sent.append(_sent(client.identify("user-1", {"plan": "pro"}, **known)))
    for number in range(rounds):
        opened = {"from_background": number > 0, "version": "1.5.0", "build": "150"}
        sent.append(_sent(client.track("user-1", "Application Opened", opened, **known)))
        sent.append(_sent(client.screen("user-1", name="Home", **known)))
        sent.append(_sent(client.track("user-1", "Order Completed", {"price": 9.99}, **known)))
        sent.append(_sent(client.track("user-1", "Application Backgrounded", {}, **known)))
    client.flush()
    client.join()
    lost = {message["messageId"] for message in failed}
    for message in sent:
        message_id = str(message["messageId"])
        outcome: Outcome = "unanswered" if message_id in lost else "accepted"
        ledger.record(install, [message_id], [outcome])
    return len(sent)


def _sent(answer: tuple[bool, dict[str, Any]]) -> dict[str, Any]:
    queued, message = answer
    if not queued:
        raise RuntimeError("the SDK's queue is full")
    return message
