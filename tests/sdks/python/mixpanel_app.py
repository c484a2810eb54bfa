"""Mixpanel's server SDK, which sends each event as it is tracked, or some together."""

import mixpanel
from mixpanel import MixpanelException
from task import DEVICE, IS_LIFE, KEY, MODE, ORDERS, PROPERTIES, URL, USER, until_told

paths = {"events": "track", "people": "engage", "groups": "groups", "import": "import"}
addresses = {f"{name}_url": f"{URL}/mixpanel/{path}" for name, path in paths.items()}
consumer = (mixpanel.BufferedConsumer if MODE == "buffered" else mixpanel.Consumer)(**addresses)
client = mixpanel.Mixpanel(KEY, consumer)
known = {"$device_id": DEVICE, "$app_version_string": "1.4.2"}


def track(name: str, **properties: object) -> None:
    try:
        client.track(USER, name, {**known, **properties})
    except MixpanelException:
        print(f"{name}: given up")


if IS_LIFE:
    track("$ae_first_open")
    track("$ae_session", **{"$ae_session_length": 3.5})
    track("$ae_crashed", **{"$ae_crashed_reason": "LookupError: no cart"})
    client.people_set(USER, {"plan": "pro"})
for order in ORDERS:
    track(order, **PROPERTIES)
if MODE == "buffered":
    consumer.flush()
until_told()
