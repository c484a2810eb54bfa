"""Amplitude's server SDK, with the events of an app by its mobile SDKs' names."""

from amplitude import Amplitude, BaseEvent, Config, EventOptions, Identify

from tests.sdks.python.task import (
    DEVICE,
    IS_LIFE,
    KEY,
    MODE,
    ORDERS,
    PROPERTIES,
    SESSION_SECONDS,
    URL,
    USER,
    until_told,
)

client = Amplitude(KEY, Config(server_url=URL + MODE, flush_interval_millis=500))


def track(name: str, **properties: object) -> None:
    client.track(
        BaseEvent(
            name,
            device_id=DEVICE,
            user_id=USER,
            session_id=SESSION_SECONDS * 1000,
            app_version="1.4.2",
            event_properties=properties,
        )
    )


if IS_LIFE:
    track("session_start")
    track("[Amplitude] Application Opened", **{"[Amplitude] From Background": False})
    track("[Amplitude] Screen Viewed", **{"[Amplitude] Screen Name": "Home"})
    client.identify(Identify().set("plan", "pro"), EventOptions(device_id=DEVICE, user_id=USER))
    track("[Amplitude] Application Backgrounded")
    track("session_end")
for order in ORDERS:
    track(order, **PROPERTIES)
client.flush()
until_told()
client.shutdown()
