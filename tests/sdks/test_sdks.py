"""Real SDKs post to a running gateway; the sink stores what they sent. With faults in between."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest
from tests.sdks import node_packages
from tests.sdks.cases import Case
from tests.sdks.catalog import SDKS, Sdk
from tests.sdks.judge import NO_SESSION, Outcome
from tests.sdks.rig import SdkRig
from tests.sdks.run import Plan

MOST_IN_A_SECOND = 4  # of one POST
CLOCK_SECONDS = 5.0
SLACK_SECONDS = 0.05
FAULTS = [one for one in Case if one is not Case.LIFE]

pytestmark = pytest.mark.timeout(600)  # the first test waits for all runs
Outcomes = dict[tuple[str, Case], Outcome]


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest,
    kafka: KafkaUnderTest,
    clickhouse: ClickHouseUnderTest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Outcomes]:
    """Every run that a selected test looks at, side by side, on one stack."""
    wanted = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.module is request.module:
            given: dict[str, Any] = item.callspec.params
            sdk, case = given["sdk"], given.get("case", Case.LIFE)
            wanted[sdk.name, case] = Plan(sdk, case)
    if not node_packages.can_run() and "CI" not in os.environ:
        wanted = {name: one for name, one in wanted.items() if not one.sdk.is_node}
    if any(one.sdk.is_node for one in wanted.values()):
        node_packages.install()
    rig = SdkRig(kafka, clickhouse, tmp_path_factory.mktemp("sdks"))
    try:
        found = rig.outcomes(list(wanted.values()))
        yield {(one.run.sdk.name, one.run.case): one for one in found}
    finally:
        rig.close()


def outcome_of(outcomes: Outcomes, sdk: Sdk, case: Case) -> Outcome:
    if (sdk.name, case) not in outcomes:
        pytest.skip(node_packages.NEEDS)
    return outcomes[sdk.name, case]


@pytest.mark.parametrize("sdk", SDKS, ids=lambda one: one.name)
class TestLife:
    def test_each_event_arrives_once_as_its_type(self, outcomes: Outcomes, sdk: Sdk) -> None:
        found = outcome_of(outcomes, sdk, Case.LIFE)

        expected = {**sdk.life, "track": len(found.run.orders)}
        assert found.types == {name: count for name, count in expected.items() if count}
        assert found.stored == len(found.run.orders)
        assert found.is_once

    def test_it_has_its_device_session_release_and_time(self, outcomes: Outcomes, sdk: Sdk) -> None:
        found = outcome_of(outcomes, sdk, Case.LIFE)
        orders = [one for one in found.rows if one["event_type"] == "track"]

        assert {one["device_id"] for one in orders} == {"install-1"}
        assert "" not in {one["sdk_name"] for one in orders}
        assert {one["app_version"] for one in orders} == {"1.4.2"}
        assert (NO_SESSION not in {one["session_id"] for one in orders}) is sdk.has_session
        assert len({one["session_id"] for one in orders}) == 1
        for one in orders:
            at = datetime.fromisoformat(one["ts"]).replace(tzinfo=UTC).timestamp()
            assert found.run.started_at - CLOCK_SECONDS < at < found.run.ended_at + CLOCK_SECONDS

    def test_its_crash_is_one(self, outcomes: Outcomes, sdk: Sdk) -> None:
        found = outcome_of(outcomes, sdk, Case.LIFE)
        crashes = [one for one in found.rows if one["event_type"] == "app_crash"]

        assert len(crashes) == sdk.life.get("app_crash", 0)
        for one in crashes:
            assert one["crash_type"].rpartition(".")[2] in ("LookupError", "RangeError")
            assert "no cart" in one["crash_reason"]
            assert one["crash_fatal"]


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("sdk", SDKS, ids=lambda one: one.name)
class TestFaults:
    def test_what_it_keeps_is_stored_once(self, outcomes: Outcomes, sdk: Sdk, case: Case) -> None:
        found = outcome_of(outcomes, sdk, case)
        least, most = sdk.stored(case)

        assert found.run.seen
        assert least <= found.stored <= most, found.run.output
        assert found.is_once

    def test_it_does_not_hammer(self, outcomes: Outcomes, sdk: Sdk, case: Case) -> None:
        found = outcome_of(outcomes, sdk, case)

        assert found.most_in_a_second() <= MOST_IN_A_SECOND, found.run.seen


@pytest.mark.parametrize(
    "sdk", [one for one in SDKS if one.waits_as_told], ids=lambda one: one.name
)
@pytest.mark.parametrize("case", [Case.OVERLOAD, Case.BALANCER])
def test_it_waits_as_long_as_it_is_told(outcomes: Outcomes, sdk: Sdk, case: Case) -> None:
    found = outcome_of(outcomes, sdk, case)

    told = next(one.retry_after for one in found.run.seen if one.status != 200)
    assert found.waits[0] >= told - SLACK_SECONDS


@pytest.mark.parametrize("sdk", SDKS, ids=lambda one: one.name)
@pytest.mark.parametrize("case", [Case.ACK_LOST])
def test_a_lost_answer_is_the_same_posts_again(outcomes: Outcomes, sdk: Sdk, case: Case) -> None:
    found = outcome_of(outcomes, sdk, case)

    assert bool(found.waits) is sdk.sends_again_lost


@pytest.mark.parametrize("sdk", SDKS, ids=lambda one: one.name)
@pytest.mark.parametrize("case", [Case.BAD_KEY])
def test_a_bad_key_is_told(outcomes: Outcomes, sdk: Sdk, case: Case) -> None:
    found = outcome_of(outcomes, sdk, case)

    assert {one.status for one in found.run.seen} == {sdk.bad_key_status}
    assert found.rows == []
