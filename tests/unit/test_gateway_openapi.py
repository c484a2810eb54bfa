"""The OpenAPI document against the endpoint: what it requires, allows and bounds is what holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.contract.refusal import KINDS, Refusal, RefusalCode, Refused
from gateway.contract.verdict import Code
from gateway.openapi import document
from gateway.protocols.native import NativeProtocol
from gateway.protocols.protocol import Head
from tests.builders import make_batch, make_event
from tests.gateway_app import KEY, GatewayUnderTest

DOCUMENT: dict[str, Any] = dict(document())
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
BATCH, EVENT = SCHEMAS["NativeBatch"], SCHEMAS["Event"]

EVERYTHING = make_event(
    type="app_crash", name="Cart", user_id="user-1", crash={"kind": "signal"}, context={"os": {}}
)
WHOLE = make_batch(EVERYTHING, write_key=KEY)


def without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def optional(schema: dict[str, Any]) -> list[str]:
    return sorted(set(schema["properties"]) - set(schema["required"]))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A property's schema without the null it may be."""
    return dict(next((one for one in schema.get("anyOf", []) if "type" in one), schema))


def bounded_texts() -> list[tuple[str, int]]:
    found = {name: plain(one).get("maxLength") for name, one in EVENT["properties"].items()}
    return [(name, limit) for name, limit in found.items() if limit]


class TestShape:
    def test_every_reference_leads_somewhere(self) -> None:
        found = {one.removeprefix("#/components/schemas/") for one in references(DOCUMENT)}

        assert {"NativeBatch", "NativeReply", "NativeError"} <= found <= set(SCHEMAS)

    def test_these_tests_know_every_key(self) -> None:
        assert set(BATCH["properties"]) == set(WHOLE)
        assert set(EVENT["properties"]) == set(EVERYTHING)

    def test_every_status_of_a_refused_post_is_described(self) -> None:
        head = Head("POST", "/v1/events", b"", {})
        of_posts = [code for code in RefusalCode if KINDS[code] is not Refusal.METHOD]

        statuses = {NativeProtocol().refuse(head, Refused(code, "")).status for code in of_posts}

        assert {str(one) for one in statuses} <= set(
            DOCUMENT["paths"]["/v1/events"]["post"]["responses"]
        )


class TestRequired:
    @pytest.mark.parametrize("name", BATCH["required"])
    def test_a_body_without_it_is_refused(self, gateway: GatewayUnderTest, name: str) -> None:
        assert gateway.post(without(WHOLE, name)).status_code == 400

    @pytest.mark.parametrize("name", EVENT["required"])
    def test_an_event_without_it_is_rejected(self, gateway: GatewayUnderTest, name: str) -> None:
        answer = gateway.post(make_batch(without(EVERYTHING, name))).json()

        assert [one["code"] for one in answer["rejected"]] == [Code.MISSING_FIELD]

    @pytest.mark.parametrize("name", optional(EVENT))
    def test_an_event_without_what_is_not_required_is_taken(
        self, gateway: GatewayUnderTest, name: str
    ) -> None:
        assert gateway.post(make_batch(without(EVERYTHING, name))).json()["accepted"] == 1

    @pytest.mark.parametrize("name", optional(BATCH))
    def test_a_body_without_what_is_not_required_is_taken(
        self, gateway: GatewayUnderTest, name: str
    ) -> None:
        own_device = {**EVERYTHING, "context": {"device": {"id": "device-1"}}}
        body = without({**WHOLE, "events": [own_device]}, name)

        assert gateway.post(body).json()["accepted"] == 1


class TestBounds:
    @pytest.mark.parametrize(("name", "limit"), bounded_texts())
    def test_a_text_may_have_its_greatest_length_and_not_more(
        self, gateway: GatewayUnderTest, name: str, limit: int
    ) -> None:
        longest, longer = ({**EVERYTHING, name: "ü" * size} for size in (limit, limit + 1))

        answer = gateway.post(make_batch(longest, longer)).json()

        assert [(one["index"], one["code"]) for one in answer["rejected"]] == [
            (1, Code.ID_TOO_LONG)
        ]

    def test_a_sequence_may_have_its_greatest_value_and_not_more(
        self, gateway: GatewayUnderTest
    ) -> None:
        greatest = plain(EVENT["properties"]["sequence"])["maximum"]
        events = [{**EVERYTHING, "sequence": number} for number in (0, greatest, greatest + 1, -1)]

        answer = gateway.post(make_batch(*events)).json()

        assert [one["index"] for one in answer["rejected"]] == [2, 3]

    def test_properties_may_have_their_greatest_number_and_not_more(
        self, gateway: GatewayUnderTest
    ) -> None:
        most = plain(EVENT["properties"]["properties"])["maxProperties"]
        events = [
            {**EVERYTHING, "properties": dict.fromkeys(map(str, range(count)), 1)}
            for count in (most, most + 1)
        ]

        answer = gateway.post(make_batch(*events)).json()

        assert [(one["index"], one["code"]) for one in answer["rejected"]] == [
            (1, Code.TOO_MANY_PROPERTIES)
        ]

    def test_a_body_may_have_its_greatest_and_least_number_of_events(
        self, gateway: GatewayUnderTest
    ) -> None:
        least, most = BATCH["properties"]["events"]["minItems"], 1000
        statuses = {
            count: gateway.post(make_batch(events=[EVERYTHING] * count)).status_code
            for count in (least - 1, least, most, most + 1)
        }

        assert BATCH["properties"]["events"]["maxItems"] == most
        assert statuses == {least - 1: 400, least: 200, most: 200, most + 1: 413}

    @pytest.mark.parametrize("kind", SCHEMAS["Crash"]["properties"]["kind"]["enum"])
    def test_every_kind_of_crash_is_stored_as_it_is_named(
        self, gateway: GatewayUnderTest, kind: str
    ) -> None:
        gateway.post(make_batch({**EVERYTHING, "crash": {"kind": kind}}))

        assert gateway.rows()[0]["crash_kind"] == kind


class TestAnswers:
    def test_an_answer_has_the_keys_that_are_described(self, gateway: GatewayUnderTest) -> None:
        good = gateway.post(make_batch(without(EVERYTHING, "type"))).json()
        bad = gateway.post(b"{").json()

        assert set(good) == set(SCHEMAS["NativeReply"]["required"])
        assert set(good["rejected"][0]) == set(SCHEMAS["RejectedEvent"]["required"])
        assert set(bad) == set(SCHEMAS["NativeError"]["required"])
        assert set(bad["error"]) == set(SCHEMAS["ErrorDetail"]["required"])

    def test_every_code_of_a_rejection_is_described(self) -> None:
        assert set(SCHEMAS["Code"]["enum"]) == set(Code)


def made_from(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a schema, as a generated client would send them."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return st.deferred(lambda: made_from(SCHEMAS[name]))
    if "anyOf" in schema:
        return st.one_of([made_from(one) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "string" if schema.get("format") == "date-time":
            return st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
        case "string":
            return st.text(min_size=schema.get("minLength", 0), max_size=20)
        case "array":
            return st.lists(
                made_from(schema["items"]), min_size=schema.get("minItems", 0), max_size=3
            )
        case "object" if "properties" in schema:
            parts = {name: made_from(one) for name, one in schema["properties"].items()}
            required = {name: parts.pop(name) for name in schema["required"]}
            return st.fixed_dictionaries(required, optional=parts)
        case "object":
            return st.dictionaries(st.text(max_size=8), st.none() | st.integers(), max_size=3)
    return st.none() | st.booleans() | st.text(max_size=8)  # anything


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=made_from({"$ref": "#/components/schemas/NativeBatch"}))
def test_a_body_made_from_the_document_is_taken_whole(
    gateway: GatewayUnderTest, body: dict[str, Any]
) -> None:
    # What no schema says: one key, a device, and names where they are needed.
    device = {"device": {"id": "device-1"}}
    events = [{**one, "name": "n", "context": device} for one in body["events"]]

    answer = gateway.post({**body, "events": events, "write_key": KEY})

    assert answer.status_code == 200, answer.text
    assert answer.json()["rejected"] == []
