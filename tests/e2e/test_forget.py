"""telemetry-sink forget: gone from every table and stopped at the door, and the account closes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gateway.contract.forgotten import Kind, Wish, mark_of
from gateway.runtime import GOOD, now_ms
from sinks.wishes import write_wish
from tests.builders import make_batch, make_event
from tests.clickhouse import ClickHouseUnderTest
from tests.e2e.replay_rig import ROOMY, ReplayRig, take_back_wishes
from tests.kafka import KafkaUnderTest, wait_until
from tests.processes import GatewayProcess, add_key

pytestmark = pytest.mark.timeout(400)  # minutes where the machine is busy

TABLES = ("events", "sessions", "device_days", "dead_letters", "crash_groups", "forgotten")
DAY = "2026-11-24"


@pytest.fixture
def rig(own_kafka: KafkaUnderTest, tmp_path: Path) -> Iterator[ReplayRig]:
    clickhouse = ClickHouseUnderTest(tmp_path / "clickhouse")
    clickhouse.start()
    clickhouse.migrate()
    under_test = ReplayRig(own_kafka, clickhouse, tmp_path)
    yield under_test
    asyncio.run(under_test.take_back_wishes())
    under_test.close()
    clickhouse.stop()


def rows_that_name(rig: ReplayRig, identifier: str) -> dict[str, int]:
    """In how many rows of each table the id stands, anywhere."""
    found = {}
    for table in TABLES:
        columns = rig.clickhouse.rows(
            "SELECT name FROM system.columns WHERE database = 'telemetry'"
            " AND table = {table:String} AND type NOT LIKE 'AggregateFunction%'",
            table=table,
        )
        text = ", ".join(f"toString({name})" for (name,) in columns)
        ((count,),) = rig.clickhouse.rows(
            f"SELECT count() FROM telemetry.{table} FINAL"
            f" WHERE position(concat({text}), {{id:String}}) > 0",
            id=identifier,
        )
        found[table] = int(count)
    return found


def account(rig: ReplayRig) -> dict[str, int]:
    (row,) = asyncio.run(rig.ask("account", app=rig.app, first=DAY, last=DAY))
    names = ("in_kafka", "stored", "duplicates_dropped", "dead_lettered", "difference", "forgotten")
    return {name: int(str(row[name])) for name in names}


def test_who_is_forgotten_is_gone_everywhere_and_no_replay_brings_them_back(
    rig: ReplayRig,
) -> None:
    gone, user, other = (f"{kind}-ü'\\-{uuid4()}" for kind in ("gone", "user", "other"))
    crash = {"event_type": "app_crash", "crash_group": 7, "crash_reason": f"no {gone} here"}
    again = rig.record(device_id=gone)
    rig.send(
        [
            again,
            rig.record(device_id=gone, session_id=str(uuid4())),
            rig.record(device_id=gone, **crash),
            rig.record(device_id=gone, sequence=-1),  # a dead letter
            rig.record(device_id=other, user_id=user, session_id=str(uuid4())),
            rig.record(device_id=other),
            rig.record(device_id=other),
            again,
        ]
    )
    rig.start("one", **ROOMY)
    rig.wait_idle()
    before = account(rig)

    receipts = [
        rig.forget("--app", rig.app, "--device", gone),
        rig.forget("--app", rig.app, "--user", user),
    ]
    forgotten = account(rig)
    replayed = rig.replay()
    rebuilt = account(rig)

    deleted = [json.loads(one.stdout)["deleted"] for one in receipts]
    of_device = {"sessions": 1, "device_days": 1, "crash_samples": 1, "dead_letters": 1}
    assert deleted[0] == {**of_device, "events": 3}
    assert {name: count for name, count in deleted[1].items() if count} == {
        "sessions": 1, "events": 1,
    }  # fmt: skip
    assert replayed.returncode == GOOD, replayed.stderr
    for identifier in (gone, user):
        assert set(rows_that_name(rig, identifier[-36:]).values()) == {0}
    assert rig.rows("device_id") == [other, other]
    assert before == {
        "in_kafka": 8, "stored": 6, "duplicates_dropped": 1, "dead_lettered": 1, "difference": 0,
        "forgotten": 0,
    }  # fmt: skip
    assert forgotten == rebuilt == {**before, "stored": 2, "forgotten": 4}


def test_for_the_past_only_what_comes_later_is_stored_and_replayed(rig: ReplayRig) -> None:
    rig.send([rig.record(device_id="d", received_at="2026-11-24T05:20:00.000Z")])
    rig.start("one", **ROOMY)
    rig.wait_idle()

    done = rig.forget("--app", rig.app, "--device", "d", "--past-only")
    later = rig.record(
        device_id="d", received_at="2100-01-01T00:00:00.000Z", ts="2100-01-01T00:00:00.000Z"
    )
    rig.send([later])
    rig.wait_idle()
    assert rig.replay().returncode == GOOD

    assert json.loads(done.stdout)["deleted"]["events"] == 1
    assert rig.rows("toYear(received_at)") == [2100]


def test_gateways_stop_a_forgotten_device_within_seconds(
    kafka: KafkaUnderTest, tmp_path: Path
) -> None:
    app, device = f"app-{uuid4()}", f"device-{uuid4()}"
    add_key(app, tmp_path)
    gateway = GatewayProcess(kafka.bootstrap, tmp_path)
    mark = mark_of(app, Kind.DEVICE, device)
    try:
        gateway.wait_until_ready()

        def post(identifier: str) -> Any:
            context = {"device": {"id": identifier}}
            event = make_event(event_id=str(uuid4()))
            return json.loads(gateway.post(make_batch(event, context=context))[1])

        assert post(device)["accepted"] == 1
        wish = Wish(app, Kind.DEVICE, now_ms())
        reach = {"bootstrap_servers": kafka.bootstrap}
        asyncio.run(write_wish(reach, mark, wish))

        wait_until(lambda: post(device)["accepted"] == 0, 20, "the wish at the door")
        assert [one["code"] for one in post(device)["rejected"]] == ["forgotten"]
        assert post("another")["accepted"] == 1
        _, page = gateway.get("/metrics")
        assert 'telemetry_gateway_rejected_events_total{code="forgotten"}' in page
    finally:
        asyncio.run(take_back_wishes(kafka.bootstrap, [mark]))
        assert gateway.stop() == GOOD
