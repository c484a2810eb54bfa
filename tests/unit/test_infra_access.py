"""Who may ask the local ClickHouse, and which words a reader may not say."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.clickhouse.access import (
    User,
    Users,
    authenticate,
    check_browser,
    check_engine,
    check_reader,
)
from infra.local.clickhouse.errors import ClickHouseError
from infra.local.clickhouse.statements import quote

USERS = Users(writer=User("w", "w-secret"), reader=User("r", "r:secret"), database="telemetry")
TEXT = st.text("'\"`\\ab -/*\nü")  # what quotes, escapes and comments are made of


def basic(name: str, password: str) -> dict[str, str]:
    token = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"authorization": f"Basic {token}"}


def own(name: str, password: str) -> dict[str, str]:
    return {"x-clickhouse-user": name, "x-clickhouse-key": password}


def quoted_name(name: str) -> str:
    """As the engine writes a name that needs quotes."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


class TestAuthenticate:
    def test_all_three_places_are_read(self) -> None:
        assert authenticate(basic("w", "w-secret"), {}, USERS) == "writer"
        assert authenticate(own("r", "r:secret"), {}, USERS) == "reader"
        assert authenticate({}, {"user": "w", "password": "w-secret"}, USERS) == "writer"

    def test_a_password_may_have_colons(self) -> None:
        assert authenticate(basic("r", "r:secret"), {}, USERS) == "reader"

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            basic("w", ""),
            basic("w", "r:secret"),
            basic("W", "w-secret"),
            basic("w", "w-secret "),
            own("w", "wrong"),
            {"x-clickhouse-user": "w"},
            {"authorization": "Basic ???"},
            {"authorization": "Basic \xfc"},
            {"authorization": "Basic"},
            {"authorization": "Bearer w-secret"},
        ],
    )
    def test_anything_else_is_516_and_repeats_no_password(self, headers: dict[str, str]) -> None:
        with pytest.raises(ClickHouseError) as refused:
            authenticate(headers, {}, USERS)

        assert (refused.value.code, refused.value.status) == (516, 403)
        assert "secret" not in refused.value.text

    def test_a_wrong_header_is_not_made_good_by_the_url(self) -> None:
        with pytest.raises(ClickHouseError):
            authenticate(basic("w", "wrong"), {"user": "w", "password": "w-secret"}, USERS)


class TestBrowser:
    @pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost", "LocalHost:1", "[::1]:8123"])
    def test_loopback_is_answered(self, host: str) -> None:
        check_browser({"host": host})

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"host": "evil.example:8123"},
            {"host": "127.0.0.1.evil.example"},
            {"host": "127.0.0.1@evil.example"},
            {"host": "localhost:8123", "origin": "null"},
            {"host": "localhost:8123", "origin": "http://localhost:8123"},
        ],
    )
    def test_a_web_page_and_a_rebound_name_are_not(self, headers: Mapping[str, str]) -> None:
        with pytest.raises(ClickHouseError) as refused:
            check_browser(headers)

        assert refused.value.status == 403


class TestReader:
    @pytest.mark.parametrize(
        "normalised",
        [
            "SELECT file('/x')",
            "SELECT FILE('/x')",
            "SELECT * APPLY(file)",
            "SELECT arrayMap(file, ['/x'])",
            "SELECT `file`('/x')",
            "SELECT {f:Identifier}",
            "SELECT * FROM {t: Identifier }",
            "SELECT aiGenerateText('x')",
            "SELECT * FROM system.processes",
        ],
    )
    def test_what_the_engine_asks_no_grant_for_is_refused(self, normalised: str) -> None:
        with pytest.raises(ClickHouseError) as refused:
            check_reader(normalised)

        assert refused.value.code == 497

    @pytest.mark.parametrize(
        "normalised",
        [
            "SELECT profile, files, file_name FROM telemetry.events",
            "SELECT detail, email FROM t",
            "SELECT {n:String}",
        ],
    )
    def test_names_that_only_hold_such_a_word_are_not(self, normalised: str) -> None:
        check_reader(normalised)

    @given(TEXT)
    def test_no_text_within_a_literal_is_refused(self, text: str) -> None:
        check_reader(f"SELECT {quote(text)} AS a")

    @given(TEXT, TEXT, TEXT)
    def test_no_name_or_literal_hides_a_word(self, name: str, other: str, text: str) -> None:
        """A quote within a quoted name opens no literal."""
        with pytest.raises(ClickHouseError):
            check_reader(
                f"SELECT 1 AS {quoted_name(name)}, {quote(text)}, "
                f"file('/x') AS {quoted_name(other)}"
            )


class TestEngines:
    @pytest.mark.parametrize(
        "sql",
        [
            "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a",
            "CREATE TABLE t (a UInt8) ENGINE = ReplacingMergeTree(a) ORDER BY a",
            "CREATE TABLE t (a String DEFAULT 'ENGINE = Kafka') ENGINE = Null",
        ],
    )
    def test_those_the_library_has_are_made(self, sql: str) -> None:
        check_engine(sql)

    @pytest.mark.parametrize("engine", ["Kafka", "ReplicatedMergeTree('/a', 'b')", "KeeperMap"])
    def test_others_are_501(self, engine: str) -> None:
        with pytest.raises(ClickHouseError) as refused:
            check_engine(f"CREATE TABLE `a'` (a UInt8) ENGINE = {engine} ORDER BY `b'`")

        assert refused.value.status == 501
