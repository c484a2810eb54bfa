"""The wheel as somebody installs it: complete, and without any extra enough for production."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.runtime import BAD_USAGE, GOOD
from sinks.clickhouse import sql

ROOT = Path(__file__).parents[2]
INSTALL_SECONDS = 600  # with an empty cache

pytestmark = pytest.mark.timeout(INSTALL_SECONDS * 2)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a fresh environment that holds the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("wheel")
    built = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    _pip(sys.executable, *built, str(ROOT))
    (wheel,) = folder.glob("telemetry_gateway-*.whl")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True, timeout=60)
    python = str(folder / "venv" / "bin" / "python")
    _pip(python, "install", "--require-hashes", "-r", str(ROOT / "requirements" / "base.txt"))
    _pip(python, "install", "--no-deps", str(wheel))
    return folder / "venv" / "bin"


def _pip(python: str, *arguments: str) -> None:
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, timeout=INSTALL_SECONDS)


def run(installed: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the wheel, far away from the sources."""
    return subprocess.run(
        [installed / script, *arguments],
        cwd=installed,
        env={"PATH": os.environ["PATH"], "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("script", "command"),
    [
        ("telemetry-gateway", "serve"),
        ("telemetry-sink", "migrate"),
        ("telemetry-infra", "provision"),
        ("telemetry-loadtest", "verify"),
    ],
)
def test_every_script_tells_its_commands(installed: Path, script: str, command: str) -> None:
    done = run(installed, script, "--help")

    assert done.returncode == GOOD, done.stderr
    assert command in done.stdout


def test_the_lock_has_all_that_the_wheel_needs(installed: Path) -> None:
    done = run(installed, "python", "-m", "pip", "check")

    assert (done.returncode, done.stdout) == (GOOD, "No broken requirements found.\n")


def test_keys_are_kept_without_anything_else_running(installed: Path, tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    assert run(installed, "telemetry-gateway", "keys", "add", "shop.ios", *data).returncode == GOOD

    assert "shop.ios" in run(installed, "telemetry-gateway", "keys", "list", *data).stdout


def test_every_named_query_is_in_the_wheel(installed: Path) -> None:
    done = run(installed, "telemetry-sink", "queries")

    assert done.returncode == GOOD, done.stderr
    assert all(name in done.stdout for name in sql.names())


def test_every_schema_file_is_in_the_wheel(installed: Path) -> None:
    program = (
        "from sinks.clickhouse.schema_files import migrations\n"
        "print(*(one.name for one in migrations()))"
    )
    done = subprocess.run(
        [installed / "python", "-c", program],
        cwd=installed, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    found = sorted(one.name for one in (ROOT / "sinks" / "clickhouse" / "schema").glob("*.sql"))
    assert done.stdout.split() == found


def test_the_console_s_files_are_in_the_wheel(installed: Path) -> None:
    program = (
        "from importlib.resources import files\n"
        "for folder in ('templates', 'static'):\n"
        "    print(*(one.name for one in (files('sinks.console') / folder).iterdir()))"
    )
    done = subprocess.run(
        [installed / "python", "-c", program],
        cwd=installed, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    console = ROOT / "sinks" / "console"
    found = {one.name for name in ("templates", "static") for one in (console / name).iterdir()}
    assert set(done.stdout.split()) == found


@pytest.mark.parametrize(
    ("script", "command", "extra"),
    [
        ("telemetry-infra", "up", "local"),
        ("telemetry-loadtest", "run", "loadtest"),
        ("telemetry-sink", "console", "console"),
        ("telemetry-gateway", "serve", "tracing"),
        ("telemetry-sink", "run", "tracing"),
    ],
)
def test_what_needs_an_extra_names_it(
    installed: Path, script: str, command: str, extra: str
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "TELEMETRY_LOADTEST_WRITE_KEY": "key",
        "TELEMETRY_GATEWAY_PORT": "0",
        "TELEMETRY_GATEWAY_TRACING_URL": "http://127.0.0.1:4318/v1/traces",
        "TELEMETRY_SINK_TRACING_URL": "http://127.0.0.1:4318/v1/traces",
    }
    done = subprocess.run(
        [installed / script, command],
        cwd=installed, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == BAD_USAGE
    assert f"install the extra: {extra}" in done.stderr
