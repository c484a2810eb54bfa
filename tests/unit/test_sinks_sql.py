"""Schema files and named queries, as texts: what they promise before any server sees them."""

from __future__ import annotations

import re
from datetime import date

import pytest
from typer.testing import CliRunner

from gateway.runtime import BAD_USAGE
from sinks.__main__ import app
from sinks.clickhouse.named_query import QueryError, load, names, parse
from sinks.clickhouse.schema_files import (
    Migration,
    SchemaError,
    migrations,
    missing,
    ordered,
    statements,
)

TODAY = date(2026, 11, 24)
PERIOD = ("app", "from", "to")
WHERE = ("release", "platform", "country")
GROUP = ("app", "group", "from", "to", "release", "platform", "country")

# Names, parameters and columns, in this order, are what people and programs rely on.
INTERFACE = {
    "account": (
        PERIOD,
        "hour in_kafka stored duplicates_dropped dead_lettered rejected_at_the_door"
        " rejected_by_reason difference replayed forgotten",
    ),
    "account_by_release": (
        (*PERIOD, "release", "platform"),
        "hour app_id app_version sdk_name sdk_version stored copies gaps missing repeats"
        " inversions",
    ),
    "active_devices": (
        (*PERIOD, *WHERE),
        "day daily_devices weekly_devices monthly_devices",
    ),
    "adoption": ((*PERIOD, *WHERE), "day app_version devices share_percent"),
    "apps": (PERIOD, "app_id events last_hour"),
    "crash_free_devices": ((*PERIOD, *WHERE), "app_version devices crash_free_percent"),
    "crash_free_releases": (
        (*PERIOD, *WHERE),
        "app_version devices sessions crash_free_devices_percent crash_free_sessions_percent"
        " first_seen last_seen",
    ),
    "crash_free_sessions": ((*PERIOD, *WHERE), "app_version sessions crash_free_percent"),
    "crash_group_devices": (
        (*GROUP, "limit"),
        "device_id crashes last_seen event_id app_version os_name os_version device_model country",
    ),
    "crash_group_latest": (GROUP, None),
    "crash_group_releases": (GROUP, "app_version crashes devices first_seen last_seen"),
    "crash_group_trend": (GROUP, "day crashes devices"),
    "crash_regressions": (
        (*GROUP, "min_devices"),
        "crash_group crash_type crash_reason release release_before releases_without"
        " first_seen came_back last_seen crashes devices sessions_percent",
    ),
    "daily_active_devices": ((*PERIOD, *WHERE), "day devices"),
    "device_timeline": (
        ("app", "device", "from", "to"),
        "ts event_type sequence session_id app_version event_name event_id occurred_at"
        " received_at time_quality user_id crash_group properties",
    ),
    "event_by_id": (("event_id", "app"), None),
    "filter_values": ((*PERIOD, "limit"), "filter value events"),
    "freshness": ((*PERIOD, *WHERE), "p50_seconds p99_seconds"),
    "funnel": (
        (*PERIOD, "steps", "seconds", *WHERE),
        "step name devices share_percent from_previous_percent",
    ),
    "live_rate": (
        ("app", "minutes", "step", *WHERE),
        "at events events_per_second freshness_p50_seconds freshness_max_seconds",
    ),
    "mapping_content": (("app", "release", "kind", "name"), "content"),
    "mappings": (("app", "release"), "app_version kind name bytes sha256 added_at"),
    "recent_dead_letters": (
        (*PERIOD, "code", "limit"),
        "dead_at source code text app_id protocol app_version device_id event_id request_id"
        " origin_topic origin_partition origin_offset original original_bytes",
    ),
    "recent_activity": (
        ("app", "minutes", "event_type"),
        "events events_before events_week_ago",
    ),
    "recent_chunks": (
        (*PERIOD, "limit"),
        "kafka_topic kafka_partition chunk_start chunk_end inserted duplicates dead"
        " first_hour inserted_at",
    ),
    "rejections": (
        (*PERIOD, "release"),
        "app_id protocol app_version code events devices first_at last_at text original",
    ),
    "release_compare": (
        (*PERIOD, "release", "against", "platform", "country"),
        "app_version devices sessions length_p50_seconds length_p90_seconds crashed_sessions"
        " crash_free_devices_percent crash_free_sessions_percent first_seen last_seen",
    ),
    "retention": (
        (*PERIOD, *WHERE),
        "cohort_day day_number devices cohort_devices share_percent",
    ),
    "session_length": (
        (*PERIOD, *WHERE, "gap"),
        "day sessions length_p50_seconds length_p90_seconds inferred_close_percent crashed_percent",
    ),
    "sessions_per_day": (
        (*PERIOD, *WHERE),
        "day sessions length_p50_seconds length_p95_seconds",
    ),
    "tail": (
        (*PERIOD, "limit", *WHERE),
        "received_at ts event_type event_name device_id session_id sequence app_version os_name"
        " country sdk_name sdk_version time_quality crash_type event_id properties",
    ),
    "top_crash_groups": (
        (*PERIOD, "limit"),
        "crash_group crash_type crash_reason crashes devices first_seen last_seen",
    ),
}


def test_the_named_queries_are_these() -> None:
    assert names() == sorted(INTERFACE)


@pytest.mark.parametrize("name", sorted(INTERFACE))
class TestEveryQueryFile:
    def test_says_its_title_its_meaning_and_what_each_parameter_means(self, name: str) -> None:
        query = load(name)

        assert query.title
        assert query.meaning
        assert all(param.meaning for param in query.params)

    def test_has_the_parameters_and_columns_of_the_interface(self, name: str) -> None:
        query = load(name)
        params, columns = INTERFACE[name]

        assert tuple(param.name for param in query.params) == params
        assert columns is None or list(query.columns) == columns.split()

    def test_uses_exactly_the_parameters_it_declares(self, name: str) -> None:
        query = load(name)

        used = set(re.findall(r"\{(\w+):(\w+)\}", query.sql))

        assert used == {(param.name, param.type) for param in query.params}


class TestParameters:
    def test_a_period_that_is_not_given_is_the_last_30_days(self) -> None:
        values = load("retention").check({"app": "demo"}, TODAY)

        assert (values["from"], values["to"]) == ("2026-10-26", "2026-11-24")

    def test_a_filter_that_is_not_given_is_empty(self) -> None:
        values = load("retention").check({"app": "demo"}, TODAY)

        assert [values[name] for name in WHERE] == ["", "", ""]

    def test_a_period_of_which_only_the_end_is_given_is_the_30_days_before_it(self) -> None:
        values = load("retention").check({"app": "demo", "to": "2025-03-30"}, TODAY)

        assert values["from"] == "2025-03-01"

    def test_an_end_in_the_first_days_of_time_is_no_error(self) -> None:
        values = load("retention").check({"app": "demo", "to": "1970-01-02"}, TODAY)

        assert values["from"] == "1970-01-01"

    def test_the_account_is_of_all_apps_unless_one_is_named(self) -> None:
        assert load("account").check({}, TODAY)["app"] == ""

    @pytest.mark.parametrize(
        ("given", "named"),
        [
            ({}, "app=String"),
            ({"app": "demo", "device": "d"}, "no parameter device"),
            ({"app": "demo", "from": "yesterday"}, "parameter from: 'yesterday' is no Date"),
            ({"app": "demo", "to": "2026-02-30"}, "parameter to: '2026-02-30' is no Date"),
            ({"app": "demo", "from": "1969-12-31"}, "parameter from: 1969-12-31 is not in"),
            ({"app": "demo", "to": "2149-06-07"}, "parameter to: 2149-06-07 is not in"),
            ({"app": "demo", "from": "2026-11-25"}, "from: 2026-11-25 is after to, 2026-11-24"),
            ({"app": "demo", "limit": "many"}, "parameter limit: 'many' is no UInt32"),
            ({"app": "demo", "limit": "-1"}, "parameter limit: -1 is not in"),
            ({"app": "demo", "limit": "4294967296"}, "parameter limit: 4294967296 is not in"),
            ({"app": "\udcff"}, "parameter app: '\\udcff' is no String"),
        ],
    )
    def test_a_wrong_one_is_named(self, given: dict[str, str], named: str) -> None:
        with pytest.raises(QueryError, match=re.escape(named)):
            load("top_crash_groups").check(given, TODAY)

    def test_a_query_that_does_not_exist_is_told_with_the_nearest_name(self) -> None:
        with pytest.raises(QueryError, match=r"did you mean daily_active_devices\?"):
            load("daily_active_device")


class TestHeader:
    def test_lines_of_one_kind_make_one_text(self) -> None:
        text = (
            "-- title: Two lines\n-- columns: a, b\n-- columns: c\n-- param: app String whose\n"
            "-- param: limit UInt32 = '20' how many\n-- meaning: One\n-- meaning: and two.\n"
            "-- why it is so\nSELECT 1;\n"
        )

        query = parse("two", text)

        assert (query.title, query.meaning) == ("Two lines", "One and two.")
        assert query.columns == ("a", "b", "c")
        assert [(one.name, one.type, one.default) for one in query.params] == [
            ("app", "String", None),
            ("limit", "UInt32", "20"),
        ]
        assert query.sql == "-- why it is so\nSELECT 1"

    def test_a_parameter_of_an_unknown_type_is_refused(self) -> None:
        with pytest.raises(QueryError, match="parameter line 'app Strin the app' cannot be read"):
            parse("wrong", "-- param: app Strin the app\nSELECT 1;")


class TestStatements:
    def test_end_with_a_semicolon_at_the_end_of_a_line(self) -> None:
        assert statements("SELECT 1;\n\nSELECT '; ' ; SELECT 2;  \nSELECT 3") == [
            "SELECT 1",
            "SELECT '; ' ; SELECT 2",
            "SELECT 3",
        ]

    def test_lose_their_comments(self) -> None:
        assert statements("-- one;\nSELECT 1, -- it's one;\n 2; -- end\n-- last;\n") == [
            "SELECT 1, \n 2"
        ]

    def test_keep_what_is_quoted(self) -> None:
        text = "SELECT '-- no comment;\n', 'it''s', 'a\\';\n'"

        assert statements(text + ";\nSELECT 2;") == [text, "SELECT 2"]


class TestSchemaFiles:
    def test_are_numbered_from_one_without_a_gap(self) -> None:
        numbers = [int(one.name[:4]) for one in migrations()]

        assert numbers == list(range(1, len(numbers) + 1))

    @pytest.mark.parametrize("odd", ["0003_later.sql", "2_short.sql", "0002-dash.sql"])
    def test_a_gap_or_an_odd_name_is_an_error(self, odd: str) -> None:
        with pytest.raises(SchemaError, match=f"{odd} is not the schema file number 0002"):
            ordered({"0001_first.sql": "", odd: ""})

    def test_every_statement_may_run_twice(self) -> None:
        texts = [text for one in migrations() for text in statements(one.sql)]

        assert texts
        again = re.compile(
            r"CREATE .*IF NOT EXISTS |ALTER TABLE \S+\s+(MODIFY (COLUMN|QUERY)\s"
            r"|ADD (COLUMN|INDEX) IF NOT EXISTS |MATERIALIZE COLUMN )",
            re.DOTALL,
        )
        assert [text for text in texts if not again.match(text)] == []

    def test_every_table_that_keeps_rows_remembers_tokens(self) -> None:
        texts = [text for one in migrations() for text in statements(one.sql)]
        beside = re.compile(
            r"telemetry\.(replays|forgotten|mappings)\b"
        )  # no chunk's insert reaches them
        keeping = [text for text in texts if "MergeTree" in text and not beside.search(text)]

        assert len(keeping) == 7
        assert [t for t in keeping if "non_replicated_deduplication_window = 10000" not in t] == []

    def test_no_table_is_partitioned_by_a_device_clock(self) -> None:
        texts = [text for one in migrations() for text in statements(one.sql)]
        partitions = [found for text in texts for found in re.findall(r"PARTITION BY (.*)", text)]

        assert len(partitions) == 5
        assert [one for one in partitions if "occurred_at" in one or "sent_at" in one] == []


class TestMissing:
    FILES = (
        Migration("0001_a.sql", "A;"),
        Migration("0002_b.sql", "B;"),
        Migration("0003_c.sql", "C;"),
    )

    def applied(self, *names_of: str) -> dict[str, str]:
        return {one.name: one.sha256 for one in self.FILES if one.name in names_of}

    def test_are_the_files_that_were_not_applied(self) -> None:
        found = missing(self.FILES, self.applied("0001_a.sql"))

        assert [one.name for one in found] == ["0002_b.sql", "0003_c.sql"]

    def test_an_edited_file_is_an_error(self) -> None:
        edited = (Migration("0001_a.sql", "A2;"), *self.FILES[1:])

        with pytest.raises(SchemaError, match=r"0001_a\.sql was changed after it had been applied"):
            missing(edited, self.applied("0001_a.sql"))

    def test_a_file_that_came_in_before_an_applied_one_is_an_error(self) -> None:
        with pytest.raises(SchemaError, match=r"0002_b\.sql was never applied, but 0003_c\.sql"):
            missing(self.FILES, self.applied("0001_a.sql", "0003_c.sql"))

    def test_a_newer_database_is_an_error(self) -> None:
        with pytest.raises(SchemaError, match=r"the database has 0003_c\.sql, which this version"):
            missing(self.FILES[:2], self.applied("0001_a.sql", "0002_b.sql", "0003_c.sql"))


class TestCommandLine:
    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["daily_active_device"], "did you mean daily_active_devices?"),
            (["retention", "--param", "app"], "--param 'app' must be name=value"),
            (["retention"], "needs --param app=String"),
            (["retention", "--param", "app=a", "--param", "to=x"], "parameter to: 'x' is no Date"),
        ],
    )
    def test_what_is_asked_wrongly_is_told_without_a_server(
        self, arguments: list[str], told: str
    ) -> None:
        nowhere = {"TELEMETRY_CLICKHOUSE_URL": "http://127.0.0.1:1"}

        answer = CliRunner().invoke(app, ["query", *arguments], env=nowhere)

        assert answer.exit_code == BAD_USAGE
        assert told in answer.stderr

    def test_an_address_that_is_none_is_told_without_repeating_its_password(self) -> None:
        wrong = {"TELEMETRY_CLICKHOUSE_URL": "http://user:secret@127.0.0.1:99999"}

        answer = CliRunner().invoke(app, ["migrate"], env=wrong)

        assert answer.exit_code == 1
        assert "no ClickHouse URL" in answer.stderr
        assert "secret" not in answer.output


def test_what_queries_share_stands_in_one_file_as_deep_as_the_line_that_names_it() -> None:
    found = load("crash_free_sessions").sql

    assert "-- include:" not in "".join(load(name).sql for name in names())
    assert "\n            max(\n                if(\n" in found
    assert "\n  AND session_id NOT IN\n" in found
