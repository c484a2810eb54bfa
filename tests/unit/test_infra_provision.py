"""An existing topic against the wanted one."""

from __future__ import annotations

import pytest

from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD
from infra.provision import ProvisionOptions, difference, settings_of, wanted_topics


def test_a_topic_as_wanted_differs_in_nothing() -> None:
    settings = {**settings_of(APP_EVENTS, 3), "flush.ms": "7"}  # what we do not set may be anything

    assert difference(APP_EVENTS, 3, APP_EVENTS.partitions, settings) is None


@pytest.mark.parametrize("name", settings_of(APP_EVENTS, 3))
def test_every_setting_that_differs_is_told(name: str) -> None:
    settings = {**settings_of(APP_EVENTS, 3), name: "other"}

    assert difference(APP_EVENTS, 3, APP_EVENTS.partitions, settings) == (
        f"topic app-events: {name} is other, expected {settings_of(APP_EVENTS, 3)[name]}"
    )


@pytest.mark.parametrize(("copies", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_two_replicas_must_have_a_record_where_there_are_three(copies: int, in_sync: str) -> None:
    assert settings_of(APP_EVENTS, copies)["min.insync.replicas"] == in_sync


def test_partitions_and_retention_are_those_of_the_deployment() -> None:
    options = ProvisionOptions(bootstrap="k:9092", partitions=48, retention_ms=3_600_000)
    events, dead, _ = wanted_topics(options)

    assert (events.partitions, events.retention_ms) == (48, 3_600_000)
    assert dead == APP_EVENTS_DEAD
