"""Every request has ClickHouse's own kind of answer, however odd it is."""

from __future__ import annotations

from email.message import Message
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from infra.local.clickhouse.errors import (
    BAD_ARGUMENTS,
    CANNOT_INFLATE,
    SESSION_IS_LOCKED,
    TIMEOUT_EXCEEDED,
    TOO_LARGE,
    TOO_MANY_QUERIES,
    ClickHouseError,
    refuse,
)
from tests.clickhouse import ClickHouseUnderTest

# src/Server/HTTP/exceptionCodeToHTTPStatus.cpp of ClickHouse; all other codes are 500.
STATUSES = {
    400: """BAD_ARGUMENTS CANNOT_COMPILE_REGEXP CANNOT_PARSE_TEXT CANNOT_PARSE_ESCAPE_SEQUENCE
        CANNOT_PARSE_QUOTED_STRING CANNOT_PARSE_DATE CANNOT_PARSE_DATETIME CANNOT_PARSE_NUMBER
        CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING CANNOT_PARSE_IPV4 CANNOT_PARSE_IPV6
        CANNOT_PARSE_INPUT_ASSERTION_FAILED CANNOT_PARSE_UUID DUPLICATE_COLUMN ILLEGAL_COLUMN
        UNKNOWN_ELEMENT_IN_AST UNKNOWN_TYPE_OF_AST_NODE THERE_IS_NO_COLUMN TOO_DEEP_AST TOO_BIG_AST
        UNEXPECTED_AST_STRUCTURE SYNTAX_ERROR INCORRECT_DATA TYPE_MISMATCH
        VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE""",
    401: "REQUIRED_PASSWORD",
    403: """UNKNOWN_USER WRONG_PASSWORD AUTHENTICATION_FAILED SET_NON_GRANTED_ROLE
        ACCESS_DENIED""",
    404: """UNKNOWN_TABLE UNKNOWN_FUNCTION UNKNOWN_IDENTIFIER UNKNOWN_TYPE UNKNOWN_STORAGE
        UNKNOWN_DATABASE UNKNOWN_SETTING UNKNOWN_DIRECTION_OF_SORTING UNKNOWN_AGGREGATE_FUNCTION
        UNKNOWN_FORMAT UNKNOWN_DATABASE_ENGINE UNKNOWN_TYPE_OF_QUERY UNKNOWN_ROLE""",
    408: "TIMEOUT_EXCEEDED",
    411: "HTTP_LENGTH_REQUIRED",
    413: "QUERY_IS_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    501: "NOT_IMPLEMENTED",
    503: "SOCKET_TIMEOUT CANNOT_OPEN_FILE CANNOT_SCHEDULE_TASK",
}


def send(
    clickhouse: ClickHouseUnderTest, body: bytes, url: str = "", **headers: str
) -> tuple[int, bytes, Message]:
    """A raw POST as the writer; underscores in header names are dashes."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given |= {"X-ClickHouse-User": clickhouse.user, "X-ClickHouse-Key": clickhouse.password}
    try:
        with urlopen(Request(f"{clickhouse.url}/?{url}", body, given), timeout=60) as answer:
            return answer.status, answer.read(), answer.headers
    except HTTPError as error:
        return error.code, error.read(), error.headers


class TestErrors:
    def test_each_code_has_the_status_a_server_gives_its_name(
        self, clickhouse: ClickHouseUnderTest
    ) -> None:
        wanted = {name: status for status, names in STATUSES.items() for name in names.split()}
        codes = clickhouse.rows(
            "SELECT toUInt32(number) AS code, errorCodeToName(code) AS name"
            " FROM numbers(1, 2000) WHERE name != ''"
        )

        found = {name: ClickHouseError(code, "").status for code, name in codes}

        assert {name: found[name] for name in wanted} == wanted
        assert {name for name, status in found.items() if status != 500} == set(wanted)

    @pytest.mark.parametrize(
        "code",
        [
            BAD_ARGUMENTS, CANNOT_INFLATE, SESSION_IS_LOCKED, TIMEOUT_EXCEEDED, TOO_LARGE,
            TOO_MANY_QUERIES, 48, 62, 497, 516,
        ],
    )  # fmt: skip
    def test_our_own_refusals_have_the_engine_s_names(
        self, clickhouse: ClickHouseUnderTest, code: int
    ) -> None:
        ((name,),) = clickhouse.rows(f"SELECT errorCodeToName({code})")

        assert refuse(code, "x").text == f"DB::Exception: x. ({name})"

    @pytest.mark.parametrize("body", [b"", b" ", b";", b"-- nothing", b"?? do it", b"\0", b"("])
    def test_what_is_no_statement_is_a_syntax_error(
        self, clickhouse: ClickHouseUnderTest, body: bytes
    ) -> None:
        status, text, headers = send(clickhouse, body)

        assert (status, headers["X-ClickHouse-Exception-Code"]) == (400, "62")
        assert text.startswith(b"Code: 62. DB::Exception: ")

    def test_a_thousand_parameters_are_enough(self, clickhouse: ClickHouseUnderTest) -> None:
        url = urlencode({f"param_{number}": 1 for number in range(1001)})

        status, _, headers = send(clickhouse, b"SELECT 1", url)

        assert (status, headers["X-ClickHouse-Exception-Code"]) == (400, "36")


class TestOddRequests:
    def test_a_line_end_in_the_query_s_name_makes_no_header(
        self, clickhouse: ClickHouseUnderTest
    ) -> None:
        url = urlencode({"query_id": "a\r\nX-Made: yes"})

        for body, status in ((b"SELECT 1", 200), (b"SELEC 1", 400)):
            found, _, headers = send(clickhouse, body, url)
            assert (found, headers["X-ClickHouse-Query-Id"]) == (status, "aX-Made: yes")
            assert "X-Made" not in headers

    def test_bytes_of_a_form_that_are_no_text_are_marked(
        self, clickhouse: ClickHouseUnderTest
    ) -> None:
        parts = {b"query": b"SELECT {x:String}", b"param_x": b"\xff"}
        body = b"".join(
            b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % part
            for part in parts.items()
        )

        status, text, _ = send(
            clickhouse, body + b"--B--\r\n", Content_Type="multipart/form-data; boundary=B"
        )

        assert (status, text.decode()) == (200, "\N{REPLACEMENT CHARACTER}\n")

    @pytest.mark.parametrize("comment", ["-- FORMAT CSV\n", "/* FORMAT CSV */", "# FORMAT CSV\n"])
    def test_a_comment_before_the_format_is_no_data(
        self, clickhouse: ClickHouseUnderTest, comment: str
    ) -> None:
        table = f"telemetry.t_{uuid4().hex}"
        clickhouse.ask(f"CREATE TABLE {table} (n UInt64) ENGINE = Memory")

        insert = f'INSERT INTO {table} {comment} FORMAT JSONEachRow\n{{"n":7}}'
        status, text = clickhouse.ask(insert)

        assert status == 200, text
        assert clickhouse.rows(f"SELECT n FROM {table}") == [[7]]
        clickhouse.ask(f"DROP TABLE {table}")


class TestDatabase:
    def test_a_session_remembers_its_database_and_a_request_may_name_another(
        self, clickhouse: ClickHouseUnderTest
    ) -> None:
        session = {"session_id": str(uuid4())}
        asked = "SELECT currentDatabase()"
        assert clickhouse.ask("USE system", url=session)[0] == 200

        assert clickhouse.ask(asked, url=session) == (200, "system\n")
        assert clickhouse.ask(asked, url={**session, "database": "default"}) == (200, "default\n")
        assert clickhouse.ask(asked, url=session) == (200, "system\n")
        assert clickhouse.ask(asked) == (200, "telemetry\n")
