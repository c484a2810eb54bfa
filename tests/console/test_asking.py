"""What URLs ask for: filters, wrong values, SQL in parameters, bounds, CSV, ClickHouse away."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sinks.clickhouse.sql import Answer, Server, load
from sinks.console.app import harmless
from sinks.console.pages import PAGES, QUERIES, Page
from sinks.console.tokens import TokenStore
from tests.clickhouse import ClickHouseUnderTest
from tests.console.asking import client_of
from tests.console.seed import History, group_text

NEEDED = {
    "app": "shop",
    "device": "device-0001",
    "event_id": "0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e6f",
    "group": group_text(0),
    "steps": "app_open,app_close",
    "release": "2.4.0",
    "against": "2.4.1",
}
UNKNOWN = "nobody has this"
INJECTIONS = (
    "' OR '1'='1",
    "shop' UNION ALL SELECT * FROM telemetry.events --",
    "shop'; DROP TABLE telemetry.events; --",
    "\\' OR 1=1 --",
    "') FROM file('/etc/passwd') --",
    "{app:String}",
    "\\N",
    "shop\x00",
)


@pytest.fixture(scope="module")
def reader(
    engine: ClickHouseUnderTest,
    histories: dict[str, History],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TestClient]:
    """Anybody on this machine: no token was ever made."""
    folder = tmp_path_factory.mktemp("no-tokens")
    with client_of(engine, TokenStore(folder / "none.json")) as client:
        yield client


def without_time(text: str, said: str) -> list[dict[str, str]]:
    """The answer without what the clock moves, and without the value that was asked for."""
    return [
        {key: value.replace(said, "") for key, value in row.items() if key != "at"}
        for row in rows(text)
    ]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


class TestInjection:
    @pytest.mark.parametrize("name", sorted(QUERIES))
    def test_a_value_is_never_sql(
        self, reader: TestClient, engine: ClickHouseUnderTest, name: str
    ) -> None:
        """It is an app, device or release that nobody has, or a 400 that names the parameter."""
        before = engine.rows("SELECT count() FROM telemetry.events")
        query = load(name)
        given = {one.name: NEEDED[one.name] for one in query.params if one.name in NEEDED}
        texts = [one.name for one in query.params if one.type == "String"]

        def ask(names: Sequence[str], text: str) -> list[dict[str, str]]:
            answer = reader.get(f"/csv/{name}", params={**given, **dict.fromkeys(names, text)})
            assert answer.status_code == 200, (names, text, answer.text)
            return without_time(answer.text, text)

        for one in texts:
            assert ask([one], INJECTIONS[0]) == ask([one], UNKNOWN)
        nobody = ask(texts, UNKNOWN)
        for text in INJECTIONS:
            assert ask(texts, text) == nobody
        for param in [one for one in query.params if one.type != "String"]:
            for text in INJECTIONS:
                answer = reader.get(f"/csv/{name}", params={**given, param.name: text})
                assert answer.status_code == 400
                assert f"parameter {param.name}" in answer.text
        assert engine.rows("SELECT count() FROM telemetry.events") == before

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
    def test_a_page_shows_it_as_text(self, reader: TestClient, page: Page) -> None:
        text = "<script>alert(1)</script>{{7*7}}"
        names = {**NEEDED, **dict.fromkeys(("release", *page.params), text), "seconds": "60"}

        answer = reader.get(page.path, params={**names, "app": "shop"})

        assert answer.status_code == 200
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in answer.text
        assert "<script>" not in answer.text

    def test_no_other_query_can_be_asked(self, reader: TestClient) -> None:
        for name in ("nothing", "daily_active_devices", "../schema/0001_events", "tail.sql"):
            assert reader.get(f"/csv/{name}?app=shop").status_code in (400, 404)


class TestWrongValues:
    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("/?from=yesterday", "parameter from: &#39;yesterday&#39; is no Date"),
            ("/?from=2026-11-02&to=2026-11-01", "is after to"),
            ("/?release=" + "x" * 600, "release has more than 512 characters"),
            ("/?app=a&app=b", "app is given twice"),
            ("/funnel?app=shop&steps=a,b&seconds=-1", "parameter seconds"),
            ("/stream/live?from=x", "parameter from"),
            ("/csv/tail?app=shop&limit=many", "parameter limit"),
        ],
    )
    def test_one_is_a_400_that_names_it(self, reader: TestClient, url: str, words: str) -> None:
        answer = reader.get(url)

        assert answer.status_code == 400
        assert words in answer.text

    def test_what_is_not_ours_is_left_alone(self, reader: TestClient) -> None:
        assert reader.get("/account?app=shop&utm_source=mail").status_code == 200


class TestFilters:
    def test_they_narrow_every_panel_that_knows_them(
        self, reader: TestClient, shop: History
    ) -> None:
        found = rows(reader.get("/csv/crash_free_releases?app=shop&country=JP").text)

        assert {row["app_version"]: int(row["devices"]) for row in found} == {
            release: len(shop.devices(app_version=release, country="JP"))
            for release in {str(one["app_version"]) for one in shop.events}
            if shop.devices(app_version=release, country="JP")
        }

    def test_a_panel_that_does_not_know_one_says_so(self, reader: TestClient) -> None:
        page = reader.get("/account?app=shop&country=JP").text

        assert "Not filtered by country." in page

    def test_they_stay_in_every_link(self, reader: TestClient) -> None:
        page = reader.get("/?app=shop&platform=iOS&from=2026-11-01&to=2026-11-02").text

        assert (
            'href="/releases?app=shop&amp;platform=iOS&amp;from=2026-11-01&amp;to=2026-11-02"'
        ) in page

    def test_the_values_offered_are_those_that_were_seen(
        self, reader: TestClient, shop: History
    ) -> None:
        found = rows(reader.get("/csv/filter_values?app=shop").text)

        offered = {(row["filter"], row["value"]): int(row["events"]) for row in found}
        counted: dict[tuple[str, str], int] = {}
        for one in shop.events:
            for name, column in (
                ("release", "app_version"),
                ("platform", "os_name"),
                ("country", "country"),
            ):
                key = (name, str(one[column]))
                counted[key] = counted.get(key, 0) + 1
        assert offered.keys() == counted.keys()
        assert all(offered[key] >= count for key, count in counted.items())

    def test_the_apps_are_told_the_busiest_first(self, reader: TestClient) -> None:
        assert [row["app_id"] for row in rows(reader.get("/csv/apps").text)] == ["shop", "other"]

    def test_the_newest_chunks_are_those_of_the_app(
        self, reader: TestClient, histories: dict[str, History]
    ) -> None:
        found = rows(reader.get("/csv/recent_chunks?app=other").text)

        assert sum(int(row["inserted"]) for row in found) == len(histories["other"].events)
        assert all(int(row["dead"]) == int(row["duplicates"]) == 0 for row in found)


class TestAnswers:
    def test_a_panel_shows_its_sql_its_meaning_and_its_csv(self, reader: TestClient) -> None:
        page = reader.get("/retention?app=shop").text

        assert "telemetry-sink query retention --param app=shop" in page
        assert "ARRAY JOIN arrayMap" in page
        assert 'href="/csv/retention?app=shop&amp;' in page

    def test_a_csv_has_what_the_panel_has(self, reader: TestClient, shop: History) -> None:
        answer = reader.get("/csv/top_crash_groups?app=shop")

        assert answer.headers["Content-Disposition"] == (
            'attachment; filename="top_crash_groups.csv"'
        )
        assert sum(int(row["crashes"]) for row in rows(answer.text)) == len(shop.crashes())

    def test_a_csv_holds_nothing_that_a_spreadsheet_runs(self) -> None:
        answer = Answer(("a", "b"), [("=1+1", 1), ("+x", -1), ("@x", None), ("-", 0), ("a=1", 2)])

        assert [row[0] for row in harmless(answer).rows] == ["'=1+1", "'+x", "'@x", "'-", "a=1"]
        assert [row[1] for row in harmless(answer).rows] == [1, -1, None, 0, 2]

    def test_a_long_answer_is_cut_and_says_so(
        self, engine: ClickHouseUnderTest, histories: dict[str, History], tmp_path: Path
    ) -> None:
        store = TokenStore(tmp_path / "none.json")
        with client_of(engine, store, max_rows=10, max_csv_rows=12) as client:
            page = client.get("/live?app=shop").text
            export = client.get("/csv/tail?app=shop").text

        assert "Cut after 10 rows; the CSV has more." in page
        assert len(rows(export)) == 12

    def test_the_account_closes(self, reader: TestClient, shop: History) -> None:
        page = reader.get("/account?app=shop").text

        assert "The account closes: the difference is 0 in every hour." in page
        assert f">{len(shop.events):,}<" in page

    def test_a_difference_is_shown(
        self, reader: TestClient, engine: ClickHouseUnderTest, histories: dict[str, History]
    ) -> None:
        """A row of the ledger that says more than there is."""
        today = date.today().isoformat()  # noqa: DTZ011  # any day of the period
        engine.ask(
            "INSERT INTO telemetry.chunks (kafka_cluster, kafka_topic, kafka_partition,"
            " chunk_start, chunk_end, app_id, hour, inserted, duplicates, dead) VALUES"
            f" ('c', 'lost', 0, 0, 7, 'losing', '{today} 00:00:00', 7, 0, 0)"
        )

        page = reader.get("/account?app=losing").text

        assert "The account does not close: 7 events differ." in page

    def test_no_event_at_all_says_what_to_do(self, reader: TestClient) -> None:
        page = reader.get("/?from=1999-01-01&to=1999-01-02").text

        assert "post a first event" in page

    def test_an_unknown_page_is_a_404(self, reader: TestClient) -> None:
        assert reader.get("/nowhere").status_code == 404


class TestClickHouseAway:
    def test_a_page_says_so_and_the_process_stays(self, tmp_path: Path) -> None:
        nowhere = Server(url="http://127.0.0.1:9", user="reader", password="x")
        with client_of(nowhere, TokenStore(tmp_path / "none.json")) as client:
            page = client.get("/account?app=shop")

            assert page.status_code == 200
            assert "ClickHouse cannot be reached now." in page.text
            assert client.get("/csv/tail?app=shop").status_code == 503
            assert client.get("/livez").status_code == 200

    def test_a_query_that_takes_too_long_ends(
        self, engine: ClickHouseUnderTest, histories: dict[str, History], tmp_path: Path
    ) -> None:
        store = TokenStore(tmp_path / "none.json")
        with client_of(engine, store, query_seconds=0.000_001) as client:
            page = client.get("/account?app=shop").text

        assert "There was no answer within 1e-06 s. Ask for fewer days." in page
