"""From a POST to the rows an analyst sees, through real engines: what is odd must arrive too."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest

from gateway.edge.keys import KeyStore
from tests.builders import make_batch, make_event
from tests.e2e.path_rig import PathRig
from tests.kafka import wait_until
from tests.processes import KEY


@pytest.fixture
def ready(path: PathRig) -> PathRig:
    path.start_gateway().wait_until_ready()
    path.start()
    return path


def new_event(**changes: Any) -> dict[str, Any]:
    return make_event(event_id=str(uuid4()), **changes)


def post(path: PathRig, *events: dict[str, Any]) -> dict[str, Any]:
    status, body = path.gateway.post(make_batch(*events))
    assert status == 200, body
    return dict(json.loads(body))


def test_120_months_of_one_post_are_120_rows(ready: PathRig) -> None:
    now = datetime.now(UTC)
    months = [now - timedelta(days=30.4375 * month) for month in range(120)]
    events = [new_event(timestamp=one.isoformat(), sequence=0) for one in months]

    reply = post(ready, *events)
    ready.wait_idle()

    assert (reply["accepted"], reply["rejected"]) == (120, [])
    said = {(one.year, one.month) for one in months}
    assert len(said) == 120
    rows = ready.rows("toYear(occurred_at), toMonth(occurred_at)")
    assert len(rows) == 120
    assert {(int(year), int(month)) for year, month in rows} == said


def test_a_number_of_5000_digits_keeps_each_of_them(ready: PathRig) -> None:
    number = "9" * 4999 + "7"
    batch = json.dumps(make_batch(new_event(properties={"n": 0}))).replace(
        '"n": 0', f'"n": {number}'
    )

    status, body = ready.gateway.post_bytes(batch.encode())
    ready.wait_idle()

    assert status == 200, body
    assert ready.rows("properties['n']") == [number]


def test_texts_of_any_kind_arrive_as_they_were(ready: PathRig) -> None:
    texts = ["", "\0", "\\N", "a\tb\nc", '"}\\', "Ĝis 📱", "\u2028", "{}", "null", "'"]
    properties = {f"p{number}": text for number, text in enumerate(texts)}

    post(ready, new_event(properties=properties))
    ready.wait_idle()

    (found,) = ready.rows("toJSONString(properties)")
    assert json.loads(found) == properties


def test_a_batch_sent_by_many_at_once_is_stored_once(ready: PathRig) -> None:
    events = [new_event(sequence=number) for number in range(1, 21)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: post(ready, *events), range(24)))
    ready.wait_idle()

    assert {one["accepted"] for one in replies} == {20}
    ids = ready.rows("event_id", order="sequence")
    assert ids == [one["event_id"] for one in events]
    account = ready.rows("sum(inserted), sum(duplicates), sum(dead)", "chunks FINAL", "tuple()")
    assert [tuple(map(int, one)) for one in account] == [(20, 23 * 20, 0)]


def test_an_event_rejected_at_the_door_is_a_dead_letter_with_its_reason(ready: PathRig) -> None:
    bad = {"type": "app_open", "timestamp": "2026-11-24T05:19:58.000Z", "colour": "red"}

    reply = post(ready, new_event(), bad)
    ready.wait_idle()

    (told,) = reply["rejected"]
    assert (reply["accepted"], told["index"], told["code"]) == (1, 1, "missing_field")
    (letter,) = ready.rows("source, code, position, original", "dead_letters", "position")
    assert letter[:2] == ("gateway", "missing_field")
    assert int(letter[2]) == 1
    assert json.loads(letter[3]) == bad


def test_the_same_event_id_of_another_device_is_another_event(ready: PathRig) -> None:
    event = new_event()
    for device in ("device-1", "device-2"):
        batch = make_batch(event)
        batch["context"]["device"]["id"] = device
        assert ready.gateway.post(batch)[0] == 200
    ready.wait_idle()

    assert ready.rows("device_id", order="device_id") == ["device-1", "device-2"]


def test_a_time_with_an_offset_is_the_instant_it_names(ready: PathRig) -> None:
    now = datetime.now(UTC).replace(microsecond=250_000)
    zone = timezone(timedelta(hours=5, minutes=30))

    post(ready, new_event(timestamp=now.astimezone(zone).isoformat()))
    ready.wait_idle()

    assert ready.rows("occurred_at") == [now.strftime("%Y-%m-%d %H:%M:%S.250")]


def test_a_request_id_leads_from_the_answer_to_the_row(ready: PathRig) -> None:
    status, _ = ready.gateway.post(make_batch(new_event()), {"X-Request-Id": "trace-7"})
    ready.wait_idle()

    assert status == 200
    assert ready.rows("request_id") == ["trace-7"]


def test_a_key_works_and_stops_working_while_the_gateway_runs(path: PathRig) -> None:
    gateway = path.start_gateway()
    gateway.wait_until_ready()
    store = KeyStore(path.folder)
    store.revoke(KEY)

    wait_until(lambda: gateway.post(make_batch(new_event()))[0] == 401, what="a refused key")
    store.add(path.app, KEY, "2026-11-24T00:00:00Z")
    wait_until(lambda: gateway.post(make_batch(new_event()))[0] == 200, what="a known key")
