"""The console as a process: options that stop it, tokens by command, streams, an orderly end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.clickhouse import ClickHouseUnderTest
from tests.console.process import ConsoleUnderTest
from tests.console.seed import History
from tests.kafka import wait_until

ANYWHERE = "0.0.0.0"  # noqa: S104  # to be refused, or with a token


@contextmanager
def started(
    engine: ClickHouseUnderTest, folder: Path, **options: str
) -> Iterator[ConsoleUnderTest]:
    console = ConsoleUnderTest(engine, folder, **options)
    console.start()
    try:
        yield console
    finally:
        console.stop()


def refused(engine: ClickHouseUnderTest, folder: Path, **options: str) -> tuple[int, str]:
    """Exit code and words of a console that does not start."""
    done = ConsoleUnderTest(engine, folder, **options).run("console")
    return done.returncode, done.stderr


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"host": ANYWHERE}, "TELEMETRY_CONSOLE_HOST: 0.0.0.0 can be reached from elsewhere"),
            ({"host": "::"}, "TELEMETRY_CONSOLE_HOST: :: can be reached from elsewhere"),
            ({"port": "70000"}, "TELEMETRY_CONSOLE_PORT"),
            ({"gateway_url": "ftp://x"}, "TELEMETRY_CONSOLE_GATEWAY_URL: 'ftp://x' is no URL"),
            ({"sink_url": "nowhere"}, "TELEMETRY_CONSOLE_SINK_URL: 'nowhere' is no URL"),
            ({"max_rows": "0"}, "TELEMETRY_CONSOLE_MAX_ROWS"),
            ({"row_limit": "5"}, "TELEMETRY_CONSOLE_ROW_LIMIT is not an option"),
        ],
    )
    def test_a_wrong_one_stops_it_and_is_named(
        self, engine: ClickHouseUnderTest, tmp_path: Path, options: dict[str, str], named: str
    ) -> None:
        code, words = refused(engine, tmp_path, **options)

        assert code == 2
        assert named in words
        assert len(words.splitlines()) == 1

    def test_a_broken_token_file_stops_it(
        self, engine: ClickHouseUnderTest, tmp_path: Path
    ) -> None:
        (tmp_path / "tokens.json").write_text("{")

        code, words = refused(engine, tmp_path)

        assert code == 2
        assert "TELEMETRY_CONSOLE_TOKENS_PATH: cannot read" in words

    def test_a_port_that_is_taken_is_named(
        self, engine: ClickHouseUnderTest, console: ConsoleUnderTest, tmp_path: Path
    ) -> None:
        code, words = refused(engine, tmp_path, port=console.url.rpartition(":")[2])

        assert code == 2
        assert "TELEMETRY_CONSOLE_PORT: cannot listen on" in words

    def test_with_a_token_it_may_be_reached_from_elsewhere(
        self, engine: ClickHouseUnderTest, tmp_path: Path
    ) -> None:
        made = ConsoleUnderTest(engine, tmp_path).run("tokens", "add", "--operator")
        assert made.returncode == 0, made.stderr

        with started(engine, tmp_path, host=ANYWHERE) as console:
            assert console.url.startswith("http://0.0.0.0:")


class TestTokens:
    def test_they_are_made_told_and_taken_away(
        self, engine: ClickHouseUnderTest, tmp_path: Path
    ) -> None:
        console = ConsoleUnderTest(engine, tmp_path)

        token = console.run("tokens", "add", "shop").stdout.strip()
        operator = console.run("tokens", "add", "--operator").stdout.strip()
        told = console.run("tokens", "list").stdout
        revoked = console.run("tokens", "revoke", token)

        kept = (tmp_path / "tokens.json").read_text()
        assert token not in kept
        assert operator not in kept
        assert (tmp_path / "tokens.json").stat().st_mode & 0o077 == 0
        assert [one["app"] for one in json.loads(kept)["tokens"]] == [""]
        assert "shop" in told
        assert "(all apps)" in told
        assert token not in told
        assert "revoked" in revoked.stdout

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (("add",), 2),
            (("add", "shop", "--operator"), 2),
            (("add", "no spaces"), 1),
            (("add", "x" * 65), 1),
            (("revoke", "nobody"), 1),
        ],
    )
    def test_what_is_wrong_is_one_line_and_a_code(
        self, engine: ClickHouseUnderTest, tmp_path: Path, arguments: tuple[str, ...], code: int
    ) -> None:
        done = ConsoleUnderTest(engine, tmp_path).run("tokens", *arguments)

        assert done.returncode == code
        assert len(done.stderr.splitlines()) == 1


class TestStreams:
    def test_beyond_the_bound_pages_stand_still(
        self, engine: ClickHouseUnderTest, shop: History, tmp_path: Path
    ) -> None:
        with started(engine, tmp_path, max_viewers="1") as console:
            url = f"{console.url}/stream/live?app=shop"
            with urlopen(url, timeout=20) as first:
                assert next_event(first)["id"] == "tail"
                with pytest.raises(HTTPError) as second:
                    urlopen(url, timeout=20)
                assert second.value.code == 503
                second.value.close()

            def is_free() -> bool:
                try:
                    with urlopen(url, timeout=20):
                        return True
                except HTTPError as error:
                    error.close()
                    return False

            wait_until(is_free, 30, "the place of a viewer who has gone")

    def test_one_ends_when_its_token_is_revoked(
        self, engine: ClickHouseUnderTest, shop: History, tmp_path: Path
    ) -> None:
        console = ConsoleUnderTest(engine, tmp_path)
        token = console.run("tokens", "add", "shop").stdout.strip()
        with started(engine, tmp_path) as console:
            request = Request(
                f"{console.url}/stream/live", headers={"Authorization": f"Bearer {token}"}
            )
            with urlopen(request, timeout=20) as stream:
                next_event(stream)
                console.run("tokens", "revoke", token)

                stream.read()  # to its end, which an open stream does not have

            assert stream.isclosed()

    def test_an_open_one_does_not_hold_up_the_end(
        self, engine: ClickHouseUnderTest, shop: History, tmp_path: Path
    ) -> None:
        console = ConsoleUnderTest(engine, tmp_path)
        console.start()
        with urlopen(f"{console.url}/stream/live?app=shop", timeout=20) as stream:
            next_event(stream)

            assert console.stop() == 0


def next_event(stream: HTTPResponse) -> dict[str, str]:
    """The next panel that the stream sends."""
    for line in stream:
        if line.startswith(b"data: "):
            return dict(json.loads(line.removeprefix(b"data: ")))
    raise AssertionError("the stream ended")
