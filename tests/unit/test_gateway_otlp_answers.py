"""OTLP's answers: what its exporters take for kept, what for final, and what they send again."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from gateway.protocols.otlp.logs import MAX_RECORDS, MAX_VALUE_DEPTH
from tests.gateway_app import KEY, GatewayUnderTest
from tests.otlp import BOTH, JSON, PROTOBUF, RESOURCE, encoded, record, resource_logs

OTHER = {"authorization": ""}


def post(gateway: GatewayUnderTest, content_type: str, *records: Any, **headers: str) -> Any:
    body = encoded(content_type, resource_logs(*records))
    return gateway.post(body, "/v1/logs", **{"content_type": content_type, **headers})


def partial(answer: Any) -> tuple[int, str]:
    """How many records an answer rejects, and why."""
    assert answer.status_code == 200
    if answer.headers["content-type"] == JSON:
        found = answer.json().get("partialSuccess", {})
        return int(found.get("rejectedLogRecords", 0)), found.get("errorMessage", "")
    response = ExportLogsServiceResponse.FromString(answer.content).partial_success
    return response.rejected_log_records, response.error_message


def status(answer: Any) -> tuple[int, str]:
    """The google.rpc.Status of a refusal."""
    if answer.headers["content-type"] == JSON:
        return answer.json()["code"], answer.json()["message"]
    found = Status.FromString(answer.content)
    return found.code, found.message


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"end": 1}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize("content_type", BOTH)
class TestAnswer:
    def test_is_an_empty_message_when_all_is_kept(
        self, gateway: GatewayUnderTest, content_type: str
    ) -> None:
        answer = post(gateway, content_type, record())

        assert answer.status_code == 200
        assert answer.content == {JSON: b"{}", PROTOBUF: b""}[content_type]
        assert answer.headers["content-type"] == content_type

    def test_tells_how_many_were_rejected_and_why(
        self, gateway: GatewayUnderTest, content_type: str
    ) -> None:
        answer = post(gateway, content_type, record(), record(timeUnixNano=None))

        count, text = partial(answer)
        assert count == 1
        assert text == "`timeUnixNano` is missing - at `$.logRecords[1]`"
        assert len(gateway.rows()) == 1

    def test_tells_only_the_first_reasons(
        self, gateway: GatewayUnderTest, content_type: str
    ) -> None:
        answer = post(gateway, content_type, *[record(timeUnixNano=None)] * 9)

        count, text = partial(answer)
        assert count == 9
        assert text.endswith("; and 6 more")

    def test_to_an_empty_request_is_empty(
        self, gateway: GatewayUnderTest, content_type: str
    ) -> None:
        answer = gateway.post(encoded(content_type), "/v1/logs", content_type=content_type)

        assert partial(answer) == (0, "")

    def test_a_copy_within_a_post_is_no_rejection(
        self, gateway: GatewayUnderTest, content_type: str
    ) -> None:
        assert partial(post(gateway, content_type, record(), record())) == (0, "")
        assert len(gateway.rows()) == 1

    def test_to_an_unreadable_body_is_400(
        self, gateway: GatewayUnderTest, content_type: str
    ) -> None:
        answer = gateway.post(b"\x0f{", "/v1/logs", content_type=content_type)

        assert (answer.status_code, status(answer)[0]) == (400, 3)
        assert answer.headers["content-type"] == content_type

    @pytest.mark.parametrize("bearer", ["Bearer wrong", "", "Basic eA=="])
    def test_to_a_wrong_or_missing_key_is_401(
        self, gateway: GatewayUnderTest, content_type: str, bearer: str
    ) -> None:
        answer = post(gateway, content_type, record(), authorization=bearer)

        assert (answer.status_code, status(answer)[0]) == (401, 16)
        assert gateway.publisher.of("app-events") == []

    def test_to_a_body_too_large_is_413(self, gateway: GatewayUnderTest, content_type: str) -> None:
        body = gzip.compress(b" " * (4 * 1024 * 1024 + 1))
        answer = gateway.post(body, "/v1/logs", content_type=content_type, content_encoding="gzip")

        assert (answer.status_code, status(answer)[0]) == (413, 3)

    def test_to_too_many_records_is_413(self, gateway: GatewayUnderTest, content_type: str) -> None:
        one = record("x")
        assert post(gateway, content_type, *[one] * MAX_RECORDS).status_code == 200
        assert post(gateway, content_type, *[one] * (MAX_RECORDS + 1)).status_code == 413

    def test_to_what_is_not_kept_is_503_and_its_own_time_to_come_back(
        self, gateway: GatewayUnderTest, content_type: str
    ) -> None:
        gateway.publisher.fail_next = 1
        answer = post(gateway, content_type, record())

        assert (answer.status_code, status(answer)[0]) == (503, 14)
        assert "retry-after" not in answer.headers

    def test_to_an_error_of_ours_is_503(self, gateway: GatewayUnderTest, content_type: str) -> None:
        del gateway.publisher.records  # so that keeping fails
        answer = post(gateway, content_type, record())

        assert answer.status_code == 503

    def test_to_another_method_is_405(self, gateway: GatewayUnderTest, content_type: str) -> None:
        answer = gateway.http.get("/v1/logs", headers={"content-type": content_type})

        assert (answer.status_code, status(answer)[0]) == (405, 12)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    def test_is_the_same_to_a_compressed_body(
        self, gateway: GatewayUnderTest, content_type: str, encoding: str
    ) -> None:
        pack = gzip.compress if encoding == "gzip" else zlib.compress
        body = pack(encoded(content_type, resource_logs(record())))
        answer = gateway.post(
            body, "/v1/logs", content_type=content_type, content_encoding=encoding
        )

        assert partial(answer) == (0, "")
        assert len(gateway.rows()) == 1


class TestKeys:
    @pytest.mark.parametrize("path", ["/v1/logs", "/v1/logs/", "/i/v1/logs", "/otlp/v1/logs"])
    def test_are_in_the_head_or_the_query(self, gateway: GatewayUnderTest, path: str) -> None:
        body = encoded(JSON, resource_logs(record()))

        assert gateway.post(body, path).status_code == 200
        assert gateway.post(body, path, **OTHER, x_write_key=KEY).status_code == 200
        assert gateway.post(body, f"{path}?a=b&token={KEY}", **OTHER).status_code == 200
        assert gateway.post(body, f"{path}?token=%", **OTHER).status_code == 401

    def test_the_bearer_wins(self, gateway: GatewayUnderTest) -> None:
        body = encoded(JSON, resource_logs(record()))

        assert gateway.post(body, "/v1/logs?token=wrong", x_write_key="wrong").status_code == 200


class TestLimits:
    @pytest.mark.parametrize("content_type", BOTH)
    def test_a_value_may_be_nested_so_deep(
        self, gateway: GatewayUnderTest, content_type: str
    ) -> None:
        answer = post(gateway, content_type, record(body=deep(MAX_VALUE_DEPTH)))

        assert partial(answer) == (0, "")
        assert gateway.rows()[-1]["properties"]["body"] == deep(MAX_VALUE_DEPTH)

    def test_deeper_it_costs_its_record(self, gateway: GatewayUnderTest) -> None:
        too_deep = record(body=deep(MAX_VALUE_DEPTH + 1))
        count, text = partial(post(gateway, JSON, too_deep, record()))

        assert (count, len(gateway.rows())) == (1, 1)
        assert text.startswith("a value is nested deeper than 32")

    def test_a_list_likewise_in_protobuf(self, gateway: GatewayUnderTest) -> None:
        value: list[Any] = []
        for _ in range(MAX_VALUE_DEPTH):
            value = [value]

        assert partial(post(gateway, PROTOBUF, record(body=value), record()))[0] == 1

    @pytest.mark.parametrize("levels", [40, 100, 20_000])
    def test_a_body_that_protobuf_takes_for_too_deep_is_400(
        self, gateway: GatewayUnderTest, levels: int
    ) -> None:
        body = b""
        for tag in reversed(b"\x0a\x12\x12\x2a" + b"\x32\x0a\x12" * levels):
            body = bytes([tag]) + _varint(len(body)) + body
        answer = gateway.post(body, "/v1/logs", content_type=PROTOBUF)

        assert (answer.status_code, status(answer)) == (400, (3, "the body is nested too deep"))

    @pytest.mark.parametrize("levels", [100, 900, 990, 20_000])
    @pytest.mark.parametrize("where", ["resource", "scope", "record", "unknown"])
    def test_json_of_any_depth_is_never_an_error_of_ours(
        self, gateway: GatewayUnderTest, levels: int, where: str
    ) -> None:
        value = "[" * levels + "]" * levels
        attributes = f'{{"attributes":[{{"key":"a","value":{value}}}]}}'
        parts = {"resource": "{}", "scope": "{}", "record": "{}"} | {where: attributes}
        if where == "unknown":
            parts["record"] = f'{{"a":{value},"timeUnixNano":{value}}}'
        body = (
            f'{{"resourceLogs":[{{"resource":{parts["resource"]},"scopeLogs":'
            f'[{{"scope":{parts["scope"]},"logRecords":[{parts["record"]}]}}]}}]}}'
        )
        answer = gateway.post(body.encode(), "/v1/logs")

        assert answer.status_code in (200, 400)
        assert gateway.metrics.bugs._value.get() == 0

    @pytest.mark.parametrize("field", [b"\x0a\x00", b"\x12\x00"])
    def test_a_body_of_nothing_but_empty_messages_is_refused(
        self, gateway: GatewayUnderTest, field: bytes
    ) -> None:
        many = field * 1_000_000
        body = many if field == b"\x0a\x00" else b"\x0a" + _varint(len(many)) + many
        answer = gateway.post(body, "/v1/logs", content_type=PROTOBUF)

        assert answer.status_code == 413

    def test_too_many_attributes_cost_their_record(self, gateway: GatewayUnderTest) -> None:
        many = {f"a{number}": 1 for number in range(256)}

        assert partial(post(gateway, PROTOBUF, record(attributes=many), record()))[0] == 1

    def test_a_resource_that_is_too_large_costs_its_records(
        self, gateway: GatewayUnderTest
    ) -> None:
        large = {**RESOURCE, "process.command_line": "x" * 9_000}
        body = encoded(JSON, resource_logs(record(), resource=large), resource_logs(record()))
        count, text = partial(gateway.post(body, "/v1/logs"))

        assert (count, len(gateway.rows())) == (1, 1)
        assert "8192 bytes" in text

    def test_text_that_is_no_utf8_costs_only_its_broken_characters(
        self, gateway: GatewayUnderTest
    ) -> None:
        crash = record("app.crash", attributes={"exception.stacktrace": "libapp.so XX 0x7f"})
        body = encoded(PROTOBUF, resource_logs(crash, record())).replace(b"XX", b"\xff\xfe")
        answer = gateway.post(body, "/v1/logs", content_type=PROTOBUF)

        assert partial(answer) == (0, "")
        assert gateway.rows()[0]["crash_stack"] == "libapp.so \ufffd\ufffd 0x7f"

    def test_fields_of_a_later_version_are_ignored(self, gateway: GatewayUnderTest) -> None:
        body = encoded(PROTOBUF, resource_logs(record())) + b"\xba\x3e\x02ab"
        assert gateway.post(body, "/v1/logs", content_type=PROTOBUF).status_code == 200
        assert len(gateway.rows()) == 1

    @pytest.mark.parametrize("body", [b"[]", b"{", b"", b'{"resourceLogs":7}', b"null", b"\xff"])
    def test_json_of_another_shape_is_400(self, gateway: GatewayUnderTest, body: bytes) -> None:
        assert gateway.post(body, "/v1/logs").status_code == 400

    def test_a_dead_letter_of_protobuf_is_the_record_as_it_came(
        self, gateway: GatewayUnderTest
    ) -> None:
        post(gateway, PROTOBUF, record(timeUnixNano=None))

        (letter,) = gateway.publisher.of("app-events-dead")
        sent: Message = ExportLogsServiceRequest.FromString(
            encoded(PROTOBUF, resource_logs(record(timeUnixNano=None)))
        )
        assert (
            letter.value == sent.resource_logs[0].scope_logs[0].log_records[0].SerializeToString()
        )

    def test_a_dead_letter_of_json_is_too(self, gateway: GatewayUnderTest) -> None:
        bad = record(timeUnixNano=None)
        post(gateway, JSON, bad)

        (letter,) = gateway.publisher.of("app-events-dead")
        assert json.loads(letter.value) == bad


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
