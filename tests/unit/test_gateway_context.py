"""Contexts: an event's own over its batch's, and where each thing they say is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.event import Context
from gateway.contract.record import ContextFields
from gateway.prepare.context import Origin, fields_of, merge
from tests.builders import make_batch
from tests.gateway_app import GatewayUnderTest

RECEIVED = datetime(2026, 11, 24, 5, 20, tzinfo=UTC)
ORIGIN = Origin("demo", "native", "r-1", RECEIVED)
PLACES = {
    ("app", "id"): "app_package",
    ("app", "version"): "app_version",
    ("app", "build"): "app_build",
    ("os", "name"): "os_name",
    ("os", "version"): "os_version",
    ("device", "manufacturer"): "device_manufacturer",
    ("device", "model"): "device_model",
    ("device", "type"): "device_type",
    ("network", "type"): "network_type",
    ("network", "carrier"): "carrier",
    ("library", "name"): "sdk_name",
    ("library", "version"): "sdk_version",
    ("locale",): "locale",
    ("timezone",): "timezone",
    ("country",): "country",
}

said = st.dictionaries(st.sampled_from(sorted(PLACES)), st.sampled_from(["", "one", "other"]))


def context(leaves: dict[tuple[str, ...], str]) -> Context:
    nested: dict[str, Any] = {}
    for path, text in leaves.items():
        if len(path) == 1:
            nested[path[0]] = text
        else:
            nested.setdefault(path[0], {})[path[1]] = text
    return msgspec.convert(nested, Context)


def columns(of: Context, origin: Origin = ORIGIN) -> dict[str, str]:
    """What is stored of a context, by column."""
    stored: ContextFields = fields_of(of, "device-1", origin, RECEIVED)
    return {name: text for name in PLACES.values() if (text := getattr(stored, name))}


class TestColumns:
    @pytest.mark.parametrize(("path", "column"), PLACES.items())
    def test_each_thing_a_context_says_has_a_column(
        self, path: tuple[str, ...], column: str
    ) -> None:
        assert columns(context({path: "said"})) == {column: "said"}

    def test_nothing_said_is_nothing_stored(self) -> None:
        assert columns(Context()) == {}

    def test_what_the_server_knows_is_stored_whatever_the_context_says(self) -> None:
        stored = fields_of(context({("country",): "XX"}), "device-1", ORIGIN, None)

        assert (stored.app_id, stored.protocol, stored.request_id) == ("demo", "native", "r-1")
        assert (stored.device_id, stored.sent_at) == ("device-1", None)
        assert stored.received_at == RECEIVED

    def test_a_trusted_edge_knows_the_country_better_than_the_app(self) -> None:
        edge = msgspec.structs.replace(ORIGIN, country="DE")

        assert columns(context({("country",): "XX"}), edge) == {"country": "DE"}


class TestMerge:
    @given(said, said)
    def test_what_an_event_says_wins_and_what_it_leaves_out_or_empty_the_batch_says(
        self, base: dict[tuple[str, ...], str], own: dict[tuple[str, ...], str]
    ) -> None:
        merged = merge(context(base), context(own))

        expected = {**base, **{path: text for path, text in own.items() if text}}
        assert columns(merged) == columns(context(expected))

    @given(said, said)
    def test_the_batch_s_context_stays_as_it_was_for_the_other_events(
        self, base: dict[tuple[str, ...], str], own: dict[tuple[str, ...], str]
    ) -> None:
        shared = context(base)

        merge(shared, context(own))

        assert shared == context(base)

    @given(said)
    def test_without_a_batch_context_the_event_s_is_all(
        self, own: dict[tuple[str, ...], str]
    ) -> None:
        assert columns(merge(None, context(own))) == columns(context(own))


class TestTimes:
    def test_a_phone_that_tells_its_offset_sent_at_the_same_instant(
        self, gateway: GatewayUnderTest
    ) -> None:
        gateway.post(make_batch(sent_at="2026-11-24T06:20:00.000+01:00"))

        (row,) = gateway.rows()
        sent_at = datetime(2026, 11, 24, 5, 20, tzinfo=UTC)
        assert datetime.fromisoformat(row["sent_at"]) == sent_at


@pytest.mark.parametrize(
    ("option", "headers", "country"),
    [
        ("CF-IPCountry", {"cf_ipcountry": "DE"}, "DE"),
        ("CF-IPCountry", {}, "FR"),
        ("", {"cf_ipcountry": "DE"}, "FR"),
    ],
)
def test_only_the_header_of_a_configured_edge_names_the_country(
    tmp_path: Path, option: str, headers: dict[str, str], country: str
) -> None:
    under_test = GatewayUnderTest(tmp_path, country_header=option)
    batch = make_batch()
    batch["context"]["country"] = "FR"

    with under_test.http:
        under_test.post(batch, **headers)

    assert under_test.rows()[0]["country"] == country
