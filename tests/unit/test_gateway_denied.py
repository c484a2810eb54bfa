"""Properties that an app may not keep: nowhere in what is handed to Kafka, and counted."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.event import Batch, Event, Stamp
from gateway.denied import MOST_NAMES, Denied, DeniedError
from gateway.metrics import Metrics
from gateway.reload import Reloader
from gateway.runtime import ConfigError
from tests.builders import EVENT_ID, make_batch, make_event
from tests.gateway_app import APP, GatewayUnderTest

SECRET = "jane@example.com"


def gateway_with(folder: Path, file: str) -> GatewayUnderTest:
    path = folder / "denied.toml"
    path.write_text(file)
    return GatewayUnderTest(folder, denied_properties=str(path))


def counted(metrics: Metrics) -> dict[tuple[str, ...], int]:
    return dict(metrics.denied.counts)


def test_what_is_denied_is_taken_out_and_its_neighbours_stay(tmp_path: Path) -> None:
    gateway = gateway_with(tmp_path, f'"{APP}" = ["email"]\n"*" = ["iban"]\n')
    properties = {"email": SECRET, "iban": "DE02", "plan": "pro"}

    answer = gateway.post(make_batch(make_event(properties=properties)))

    assert answer.json()["accepted"] == 1
    assert [row["properties"] for row in gateway.rows()] == [{"plan": "pro"}]
    assert counted(gateway.metrics) == {(APP, "email"): 1, ("*", "iban"): 1}


def test_another_app_keeps_what_only_the_first_denies(tmp_path: Path) -> None:
    gateway = gateway_with(tmp_path, '"another" = ["email"]\n"*" = ["iban"]\n')

    gateway.post(make_batch(make_event(properties={"email": "kept", "iban": "DE02"})))

    assert [row["properties"] for row in gateway.rows()] == [{"email": "kept"}]


def test_a_key_that_no_field_has_is_denied_as_it_is_stored(tmp_path: Path) -> None:
    gateway = gateway_with(tmp_path, f'"{APP}" = ["$event.email", "$batch.email"]\n')

    gateway.post(make_batch({**make_event(), "email": SECRET}, email=SECRET))

    assert len(gateway.rows()) == 1
    assert SECRET.encode() not in b"".join(one.value for one in gateway.publisher.records)


@pytest.mark.parametrize(
    "bad",
    [
        {"event_id": EVENT_ID, "type": "app_open", "properties": {"email": SECRET}},
        {"event_id": 7, "type": "app_open", "properties": {"deep": [{"email": SECRET}]}},
        {"event_id": EVENT_ID, "type": "app_open", "email": SECRET},
    ],
    ids=["no time", "no id", "beside its fields"],
)
def test_a_dead_letter_has_no_denied_key_at_any_depth(tmp_path: Path, bad: object) -> None:
    gateway = gateway_with(tmp_path, f'"{APP}" = ["email"]\n')

    gateway.post(make_batch(make_event(), bad))

    (letter,) = gateway.publisher.of("app-events-dead")
    assert SECRET.encode() not in letter.value
    assert json.loads(letter.value)["type"] == "app_open"


def test_without_a_file_nothing_is_looked_at(gateway: GatewayUnderTest) -> None:
    properties = {"email": "kept"}

    gateway.post(make_batch(make_event(properties=properties)))

    assert [row["properties"] for row in gateway.rows()] == [properties]
    assert counted(gateway.metrics) == {}


class TestFile:
    def test_is_read_again_when_it_changes(self, tmp_path: Path) -> None:
        path = tmp_path / "denied.toml"
        path.write_text(f'"{APP}" = ["email"]')
        metrics = Metrics()
        denied = Denied(path, lambda app, name, count: metrics.denied.add(app, name, count=count))
        assert denied.refresh()
        assert not denied.refresh()

        path.write_text(f'"{APP}" = ["email", "phone"]')

        assert denied.refresh()
        assert len(denied) == 2
        path.write_text("")
        assert denied.refresh()
        assert not denied.stops_any

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("email", "cannot use"),
            ('"demo" = "email"', "Expected `array`"),
            ('"demo" = [""]', "length >= 1"),
            ('"demo" = ["$crash.thread"]', "`$crash.thread` of demo: the gateway makes it"),
            (f'"demo" = {[str(one) for one in range(MOST_NAMES + 1)]}', "more than 1000 names"),
        ],
        ids=["no TOML", "no list", "no name", "ours", "too many"],
    )
    def test_a_wrong_one_stops_the_start_and_says_why(
        self, tmp_path: Path, text: str, says: str
    ) -> None:
        with pytest.raises(ConfigError) as raised:
            gateway_with(tmp_path, text)

        assert str(raised.value).startswith("TELEMETRY_GATEWAY_DENIED_PROPERTIES: cannot use")
        assert says in str(raised.value)

    def test_a_missing_one_stops_the_start(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="DENIED_PROPERTIES"):
            GatewayUnderTest(tmp_path, denied_properties=str(tmp_path / "away.toml"))

    def test_one_that_breaks_later_denies_what_it_denied_and_is_told_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        gateway = gateway_with(tmp_path, f'"{APP}" = ["email"]')
        metrics = Metrics()
        denied = Denied(tmp_path / "denied.toml", lambda *_: None)
        files = Reloader(gateway.keys, denied, metrics)
        files.refresh()
        (tmp_path / "denied.toml").write_text("{")

        files.refresh()
        files.refresh()

        assert len(denied) == 1
        assert metrics.unreadable_files.labels("denied")._value.get() == 1
        assert [one for one in caplog.messages if "denied unchanged" in one].__len__() == 1
        (tmp_path / "denied.toml").write_text(f'"{APP}" = []')
        files.refresh()
        assert metrics.unreadable_files.labels("denied")._value.get() == 0
        with pytest.raises(DeniedError):
            Denied(tmp_path / "away.toml", lambda *_: None).refresh()


NAMES = st.sampled_from(["email", "phone", "plan", "iban"])
PROPERTIES = st.dictionaries(NAMES, st.integers(0, 3))


@given(own=st.sets(NAMES), every=st.sets(NAMES), sent=st.lists(PROPERTIES, max_size=3))
def test_what_remains_is_what_neither_list_names(
    own: set[str],
    every: set[str],
    sent: list[dict[str, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("denied") / "denied.toml"
    path.write_bytes(msgspec.toml.encode({APP: sorted(own), "*": sorted(every)}))
    metrics = Metrics()
    denied = Denied(path, lambda app, name, count: metrics.denied.add(app, name, count=count))
    denied.refresh()
    raw = [{name: msgspec.Raw(b"%d" % value) for name, value in one.items()} for one in sent]
    events = [
        Event(event_id=str(n), type="track", timestamp=None, properties=one)
        for n, one in enumerate(raw)
    ]

    left = denied.without(Batch(events=[*events], sent_at=None, stamp=Stamp.NONE), APP)

    gone = own | every
    kept = [one.properties for one in left.events if isinstance(one, Event)]
    assert kept == [{k: v for k, v in one.items() if k not in gone} for one in raw]
    assert sum(metrics.denied.counts.values()) == sum(len(gone & one.keys()) for one in raw)
