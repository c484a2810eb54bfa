"""PostHog's server SDK as it comes; what the app does not catch it captures itself."""

import posthog

from tests.sdks.python.task import (
    DEVICE,
    IS_LIFE,
    KEY,
    MODE,
    ORDERS,
    PROPERTIES,
    SESSION_SECONDS,
    URL,
    crash,
    until_told,
)

client = posthog.Posthog(
    KEY,
    host=f"{URL}/posthog",
    enable_exception_autocapture=True,
    capture_mode=MODE,
)
session = {"$session_id": f"session-{SESSION_SECONDS}", "$app_version": "1.4.2"}


def capture(name: str, **properties: object) -> None:
    client.capture(name, distinct_id=DEVICE, properties={**session, **properties})


if IS_LIFE:
    capture("Application Opened", from_background=False)
    capture("$screen", **{"$screen_name": "Home"})
    client.set(distinct_id=DEVICE, properties={"plan": "pro"})
    capture("Application Backgrounded")
for order in ORDERS:
    capture(order, **PROPERTIES)
if IS_LIFE:
    crash()
until_told()
client.shutdown()
