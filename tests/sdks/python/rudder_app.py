"""RudderStack's server SDK, with an app's context given by hand."""

from rudderstack.analytics.client import Client

from tests.sdks.python.task import (
    CONTEXT,
    DEVICE,
    IS_LIFE,
    KEY,
    ORDERS,
    PROPERTIES,
    SESSION_SECONDS,
    URL,
    USER,
    until_told,
)

client = Client(KEY, host=f"{URL}/rudder")


def known(**more: object) -> dict[str, object]:
    return {"anonymous_id": DEVICE, "context": {**CONTEXT, "sessionId": SESSION_SECONDS, **more}}


if IS_LIFE:
    opened = {"from_background": False}
    crashed = {"name": "LookupError", "message": "no cart"}
    client.track(USER, "Application Opened", opened, **known(sessionStart=True))
    client.identify(USER, {"plan": "pro"}, **known())
    client.screen(USER, name="Home", **known())
    client.track(USER, "Application Crashed", crashed, **known())
    client.track(USER, "Application Backgrounded", {}, **known())
for order in ORDERS:
    client.track(USER, order, PROPERTIES, **known())
until_told()
client.flush()
client.join()
