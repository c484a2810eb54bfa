"""An HTTP request as a query: what stands in the URL, the headers, a form or the body."""

from __future__ import annotations

import pytest

from infra.local.clickhouse.errors import ClickHouseError
from infra.local.clickhouse.query import build, parse_url

BOUNDARY = {"content-type": 'multipart/form-data; boundary="B"'}


def form(**fields: bytes) -> bytes:
    parts = [
        b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
        for name, value in fields.items()
    ]
    return b"".join(parts) + b"--B--\r\n"


class TestText:
    def test_the_url_s_statement_stands_before_the_body(self) -> None:
        url = parse_url("query=INSERT%20INTO%20t%20FORMAT%20CSV")

        assert build("POST", {}, url, b"\xff1\n").text == b"INSERT INTO t FORMAT CSV\n\xff1\n"
        assert build("POST", {}, url, b"").text == b"INSERT INTO t FORMAT CSV"
        assert build("POST", {}, {}, b"SELECT 1").text == b"SELECT 1"

    def test_a_form_has_statement_and_parameters(self) -> None:
        query = build("POST", BOUNDARY, {}, form(query=b"SELECT {x:String}", param_x=b"a\r\n--b"))

        assert query.text == b"SELECT {x:String}"
        assert query.settings == {"param_x": "a\r\n--b"}

    def test_bytes_that_are_no_text_are_kept_in_a_statement_and_marked_elsewhere(self) -> None:
        query = build("POST", BOUNDARY, {}, form(query=b"SELECT '\xff'", param_x=b"\xffa"))

        assert query.text == b"SELECT '\xff'"
        assert query.settings == {"param_x": "\N{REPLACEMENT CHARACTER}a"}

    def test_two_queries_of_one_id_can_be_told_apart(self) -> None:
        one, other = (build("POST", {}, {"query_id": "q"}, b"SELECT 1") for _ in range(2))

        assert one.query_id == other.query_id == "q"
        assert one.tag != other.tag

    def test_only_a_get_is_read_only(self) -> None:
        assert build("GET", {}, {"query": "SELECT 1"}, b"").read_only
        assert not build("POST", {}, {"query": "SELECT 1"}, b"").read_only


class TestSettings:
    def test_what_is_not_of_the_interface_is_a_setting(self) -> None:
        url = parse_url("query_id=q&session_id=s&wait_end_of_query=1&max_threads=2&param_a=&user=u")
        query = build("POST", {}, url, b"SELECT 1")

        assert (query.query_id, query.session_id) == ("q", "s")
        assert query.settings == {"max_threads": "2", "param_a": ""}

    @pytest.mark.parametrize("name", ["a b", "a=1", "a;DROP", "", "1a", "a-b", "a\nb"])
    def test_what_could_not_be_a_name_reaches_no_statement(self, name: str) -> None:
        with pytest.raises(ClickHouseError) as refused:
            build("POST", {}, {name: "1"}, b"SELECT 1")

        assert refused.value.code == 48

    def test_a_header_names_the_database_before_the_url(self) -> None:
        url = {"database": "by_url"}

        assert build("POST", {"x-clickhouse-database": "by_head"}, url, b"").database == "by_head"
        assert build("POST", {}, url, b"").database == "by_url"
        assert build("POST", {}, {}, b"").database == ""

    def test_more_parameters_than_anyone_needs_are_refused(self) -> None:
        assert len(parse_url("&".join(f"param_{number}=1" for number in range(1000)))) == 1000
        with pytest.raises(ClickHouseError) as refused:
            parse_url("&".join(f"param_{number}=1" for number in range(1001)))

        assert (refused.value.code, refused.value.status) == (36, 400)

    @pytest.mark.parametrize("name", ["compress", "decompress"])
    def test_clickhouse_s_own_framing_is_said_to_be_missing(self, name: str) -> None:
        with pytest.raises(ClickHouseError) as refused:
            build("POST", {}, {name: "1"}, b"")

        assert refused.value.status == 501
        assert build("POST", {}, {name: "0"}, b"SELECT 1").settings == {}
