"""The real Python SDKs of Amplitude and Mixpanel against a gateway on a port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import amplitude
import mixpanel
import pytest

from tests.gateway_app import KEY, GatewayUnderTest
from tests.live_gateway import listening

pytestmark = pytest.mark.filterwarnings("default")  # theirs are not ours to mend
DEVICE = "install-1"
CAPTURES = Path(__file__).parent.parent / "contract" / "captures"


class LiveGateway:
    """A gateway that listens, and the key of the recorded requests."""

    def __init__(self, under_test: GatewayUnderTest, url: str) -> None:
        under_test.add_key("node", "MPTOKEN")
        self.url = url
        self.publisher = under_test.publisher
        self.metrics = under_test.metrics
        self.rows = under_test.rows


@pytest.fixture
def live(gateway: GatewayUnderTest) -> Iterator[LiveGateway]:
    with listening(gateway) as url:
        yield LiveGateway(gateway, url)


class TestAmplitude:
    @pytest.mark.parametrize("path", ["/2/httpapi", "/batch", "/amplitude/2/httpapi"])
    def test_its_events_arrive_once(self, live: LiveGateway, path: str) -> None:
        told: list[int] = []
        client = self.client(amplitude, live.url + path, told)
        for name in ("session_start", "[Amplitude] Application Opened", "Order Completed"):
            client.track(
                amplitude.BaseEvent(name, device_id=DEVICE, user_id="user-1", session_id=1795497500)
            )
        client.identify(
            amplitude.Identify().set("plan", "pro"), amplitude.EventOptions(device_id=DEVICE)
        )
        client.shutdown()

        assert told == [200] * 4
        found = [(one["event_type"], one.get("event_name")) for one in live.rows()]
        assert sorted(found, key=str) == [
            ("app_open", None),
            ("identify", None),
            ("session_start", None),
            ("track", "Order Completed"),
        ]
        assert {one["sdk_name"] for one in live.rows()} == {"amplitude-python"}

    def test_a_wrong_key_ends_there(self, live: LiveGateway) -> None:
        told: list[int] = []
        client = self.client(amplitude, f"{live.url}/2/httpapi", told, key="wrong")
        client.track(amplitude.BaseEvent("Order", device_id=DEVICE))
        client.shutdown()

        assert live.rows() == []
        assert live.metrics.requests.counts["amplitude", "400"] == 1

    def client(self, amplitude: Any, url: str, told: list[int], key: str = KEY) -> Any:
        return amplitude.Amplitude(
            key,
            amplitude.Config(
                server_url=url,
                callback=lambda event, code, message: told.append(code),
                flush_interval_millis=10,
            ),
        )


def addresses(url: str) -> dict[str, str]:
    """All of them: of a host alone it makes HTTPS ones."""
    paths = {"events": "track", "people": "engage", "groups": "groups", "import": "import"}
    return {f"{name}_url": f"{url}/{path}" for name, path in paths.items()}


class TestMixpanel:
    def test_its_events_and_profiles_arrive(self, live: LiveGateway) -> None:
        client = mixpanel.Mixpanel(KEY, mixpanel.Consumer(**addresses(live.url)))
        client.track("user-1", "Order Completed", {"price": 9.99, "$device_id": DEVICE})
        client.track("user-1", "$ae_session", {"$ae_session_length": 3.5, "$device_id": DEVICE})
        client.people_set("user-1", {"plan": "pro"})
        client.group_set("company", "acme", {"size": 9})
        client.import_data("key", "user-1", "Old", 1790000000, {}, api_secret="secret")

        assert [one["event_type"] for one in live.rows()] == [
            "track", "app_open", "app_close", "identify", "track",
        ]  # fmt: skip
        assert live.metrics.ignored.counts["mixpanel",] == 1

    def test_buffered_events_arrive_together(self, live: LiveGateway) -> None:
        consumer = mixpanel.BufferedConsumer(**addresses(f"{live.url}/mixpanel"))
        client = mixpanel.Mixpanel(KEY, consumer)
        for number in range(5):
            client.track("user-1", f"Step {number}", {"$device_id": DEVICE})
        consumer.flush()

        assert [one["event_name"] for one in live.rows()] == [f"Step {n}" for n in range(5)]
        assert live.metrics.requests.counts["mixpanel", "200"] == 1


def test_mixpanel_for_node_sends_a_single_event_without_a_body(live: LiveGateway) -> None:
    captured = json.loads((CAPTURES / "mixpanel-node.json").read_text("utf-8"))["requests"][0]
    with urlopen(f"{live.url}{captured['path']}?{captured['query']}") as answer:
        assert json.loads(answer.read()) == {"error": None, "status": 1}
    (row,) = live.rows()  # it has no time, so it tells of no open
    assert (row["event_type"], row["time_quality"]) == ("app_close", "invalid")
