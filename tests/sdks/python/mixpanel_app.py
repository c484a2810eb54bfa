"""Mixpanel's server SDK, which sends each event as it is tracked, or some together."""

import logging
from collections.abc import Callable

import mixpanel

from tests.sdks.python.task import (
    DEVICE,
    IS_LIFE,
    KEY,
    MODE,
    ORDERS,
    PROPERTIES,
    URL,
    USER,
    until_told,
)

paths = {"events": "track", "people": "engage", "groups": "groups", "import": "import"}
addresses = {f"{name}_url": f"{URL}/mixpanel/{path}" for name, path in paths.items()}
single = mixpanel.Consumer(**addresses)
buffered = mixpanel.BufferedConsumer(**addresses)
for consumer in (single, buffered._consumer):  # it repeats over HTTPS alone: here too
    consumer._session.mount("http://", consumer._session.get_adapter("https://"))
client = mixpanel.Mixpanel(KEY, buffered if MODE == "buffered" else single)
known = {"$device_id": DEVICE, "$app_version_string": "1.4.2"}


def trying(call: Callable[[], object]) -> None:
    try:
        call()
    except mixpanel.MixpanelException as error:
        logging.getLogger("app").warning("given up: %s", error)


def track(name: str, **properties: object) -> None:
    trying(lambda: client.track(USER, name, {**known, **properties}))


if IS_LIFE:
    track("$ae_first_open")
    track("$ae_session", **{"$ae_session_length": 3.5})
    track("$ae_crashed", **{"$ae_crashed_reason": "java.lang.LookupError: no cart"})
    trying(lambda: client.people_set(USER, {"plan": "pro"}))
for order in ORDERS:
    track(order, **PROPERTIES)
trying(buffered.flush)
until_told()
trying(buffered.flush)
