"""Mapping files of releases, from a build's folder to the stack that a person reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.runtime import BAD_USAGE, FOUND_WRONG, GOOD
from sinks.clickhouse.sql import AsyncClient
from tests.clickhouse import ClickHouseUnderTest
from tests.histories import event, new_app
from tests.integration.test_query_command import telemetry_sink
from tests.stored import StoredChunk, store

R8 = """\
com.example.Cart -> a.b:
# {"id":"sourceFile","fileName":"Cart.kt"}
    1:3:void open(int):10:12 -> a
"""
STACK = "a.b: no cart\n\tat a.b.a(SourceFile:2)\n\tat android.os.Handler.run(Handler.java:9)"
READ = (
    "com.example.Cart: no cart\n\tat com.example.Cart.open(Cart.kt:11)\n"
    "\tat android.os.Handler.run(Handler.java:9)\n"
)
# One segment: line 1, column 0 of the bundle is line 1, column 0 of the only source.
SOURCE_MAP = '{"version":3,"sources":["src/cart.ts"],"names":[],"mappings":"AAAA"}'


class Commands:
    """telemetry-sink as somebody who may write."""

    def __init__(self, engine: ClickHouseUnderTest, folder: Path) -> None:
        self._engine, self._folder = engine, folder

    def file(self, name: str, content: str) -> str:
        path = self._folder / name
        path.write_text(content)
        return str(path)

    def __call__(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        account = {
            "TELEMETRY_CLICKHOUSE_USER": self._engine.user,
            "TELEMETRY_CLICKHOUSE_PASSWORD": self._engine.password,
        }
        return telemetry_sink(self._engine, *arguments, **{**account, **changes})


@pytest.fixture
def commands(clickhouse: ClickHouseUnderTest, tmp_path: Path) -> Commands:
    return Commands(clickhouse, tmp_path)


async def crash(writer: AsyncClient, app_id: str, release: str, stack: str) -> str:
    """The id of a stored one."""
    event_id = uuid4()
    happened = event(
        app_id,
        event_id=event_id,
        event_type="app_crash",
        app_version=release,
        crash_stack=stack,
        session_id=uuid4(),
    )
    await store(writer, StoredChunk(events=[happened]))
    return str(event_id)


async def test_a_mapping_is_added_used_and_removed(
    commands: Commands, clickhouse: ClickHouseUnderTest, writer: AsyncClient
) -> None:
    app_id = new_app()
    event_id = await crash(writer, app_id, "1.0", STACK)
    of_release = ("--app", app_id, "--release", "1.0")
    files = commands.file("mapping.txt", R8), commands.file("app.js.map", SOURCE_MAP)

    first = commands("mapping", "add", *of_release, *files)
    again = commands("mapping", "add", *of_release, *files)
    listed = telemetry_sink(clickhouse, "mapping", "list", "--app", app_id)
    retraced = telemetry_sink(clickhouse, "retrace", event_id, "--app", app_id)
    removed = commands("mapping", "remove", *of_release)
    empty = commands("mapping", "remove", *of_release)
    plain = telemetry_sink(clickhouse, "retrace", event_id, "--app", app_id)

    assert (first.returncode, first.stdout) == (GOOD, "added: mapping.txt\nadded: app.js.map\n")
    assert again.stdout == "known already: mapping.txt\nknown already: app.js.map\n"
    assert listed.stdout.count("proguard") == listed.stdout.count("sourcemap") == 1
    assert (retraced.returncode, retraced.stdout) == (GOOD, READ)
    assert retraced.stderr.startswith("Retraced by the mapping of release 1.0, added at 20")
    assert (removed.returncode, removed.stdout) == (GOOD, "removed 2\n")
    assert empty.returncode == FOUND_WRONG
    assert (plain.returncode, plain.stdout) == (GOOD, f"{STACK}\n")
    assert plain.stderr == "No mapping of release 1.0 fits this stack.\n"


async def test_the_newest_of_a_release_counts(commands: Commands, writer: AsyncClient) -> None:
    app_id = new_app()
    event_id = await crash(writer, app_id, "1.0", STACK)
    of_release = ("--app", app_id, "--release", "1.0")
    for content in (R8.replace("Cart", "Wish"), R8):
        added = commands("mapping", "add", *of_release, commands.file("mapping.txt", content))
        assert added.stdout == "added: mapping.txt\n"

    assert commands("retrace", event_id, "--app", app_id).stdout == READ
    assert commands("mapping", "remove", *of_release).stdout == "removed 1\n"


async def test_another_app_or_release_sees_nothing_of_it(
    commands: Commands, writer: AsyncClient
) -> None:
    app_id, other = new_app(), new_app()
    theirs = await crash(writer, other, "1.0", STACK)
    later = await crash(writer, app_id, "1.1", STACK)
    unnamed = await crash(writer, app_id, "", STACK)
    file = commands.file("mapping.txt", R8)
    assert commands("mapping", "add", "--app", app_id, "--release", "1.0", file).returncode == GOOD

    for event_id, of_app in ((theirs, other), (later, app_id), (unnamed, app_id)):
        assert commands("retrace", event_id, "--app", of_app).stdout == f"{STACK}\n"
    assert "proguard" not in commands("mapping", "list", "--app", other).stdout
    assert commands("retrace", theirs, "--app", app_id).returncode == FOUND_WRONG


async def test_a_script_is_retraced_by_the_map_of_its_file(
    commands: Commands, writer: AsyncClient
) -> None:
    app_id = new_app()
    stack = "a@https://x.example/js/app.js?v=2:1:1\nb@https://x.example/js/other.js:1:1"
    event_id = await crash(writer, app_id, "1.0", stack)
    file = commands.file("app.js.map", SOURCE_MAP)
    of_release = ("--app", app_id, "--release", "1.0")
    assert commands("mapping", "add", *of_release, file).returncode == GOOD

    done = commands("retrace", event_id, "--app", app_id)

    assert done.stdout == "a@src/cart.ts:1:1\nb@https://x.example/js/other.js:1:1\n"
    assert done.stderr.startswith("Retraced by the source map app.js of release 1.0, added at 20")
    assert commands("mapping", "remove", *of_release, "--name", "x.js").returncode == FOUND_WRONG
    assert commands("mapping", "remove", *of_release, "--name", "app.js").stdout == "removed 1\n"


@pytest.mark.parametrize("words", [["retrace", "x"], ["mapping", "add", "--release", "1", "x.txt"]])
def test_without_the_extra_one_line_says_which(words: list[str]) -> None:
    program = "import sys; sys.modules['symbolic'] = None; from sinks.__main__ import main; main()"
    command = [sys.executable, "-c", program, *words, "--app", "shop"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == BAD_USAGE
    assert done.stderr.endswith("the package symbolic is missing; install the extra: retrace\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("mapping.txt", "hello", "no line renames a class"),
        ("app.js.map", "{}", "no source map, or maps nothing"),
        ("app.js.map", "[" * 100_000, "bad json"),
        ("mapping.pdf", R8, "is named in .txt"),
        ("mapping.txt", R8 + "#" * 2_000, "more than 1024 bytes: TELEMETRY_SINK_MAPPING_BYTES"),
    ],
)
def test_what_is_no_mapping_is_not_stored(
    commands: Commands, name: str, content: str, text: str
) -> None:
    app_id = new_app()
    good, bad = commands.file("good.txt", R8), commands.file(name, content)
    limit = {"TELEMETRY_SINK_MAPPING_BYTES": "1024" if len(content) < 10_000 else "1000000"}

    done = commands("mapping", "add", "--app", app_id, "--release", "1.0", good, bad, **limit)

    assert done.returncode == BAD_USAGE
    assert done.stderr.startswith(f"telemetry-sink: {bad}: ")
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
    assert "proguard" not in commands("mapping", "list", "--app", app_id).stdout
