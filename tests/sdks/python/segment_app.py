"""Segment's server SDK, with an app's context given by hand."""

from segment.analytics.client import Client

from tests.sdks.python.task import (
    CONTEXT,
    DEVICE,
    IS_LIFE,
    KEY,
    ORDERS,
    PROPERTIES,
    URL,
    USER,
    until_told,
)

client = Client(KEY, host=URL)
known = {"anonymous_id": DEVICE, "context": CONTEXT}
if IS_LIFE:
    client.identify(USER, {"plan": "pro"}, **known)
    client.track(USER, "Application Opened", {"from_background": False}, **known)
    client.screen(USER, name="Home", **known)
    client.track(
        USER, "Application Crashed", {"name": "LookupError", "message": "no cart"}, **known
    )
    client.track(USER, "Application Backgrounded", {}, **known)
for order in ORDERS:
    client.track(USER, order, PROPERTIES, **known)
until_told()
client.shutdown()
