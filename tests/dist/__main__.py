"""make dist: the wheel in clean environments, under each supported Python that is here.

Twice each: with the locked versions and no extra, as a gateway and sink run; then with every extra
and the newest versions that pyproject.toml allows, as somebody gets who installs without a lock.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.request import urlopen

from tests.dist.locks import PYTHONS, ROOT

EXTRAS = "console,alerts,loadtest,local"
INSTALL_SECONDS = 600
COMMAND_SECONDS = 60
NOBODY = "127.0.0.1:1"  # no Kafka
BARE: tuple[tuple[str, ...], ...] = (
    ("python", "-c", "import gateway, sinks, loadtest, infra"),
    ("telemetry-gateway", "--help"),
    ("telemetry-gateway", "config"),
    ("telemetry-gateway", "schema"),
    ("telemetry-sink", "--help"),
    ("telemetry-sink", "queries"),
    ("telemetry-infra", "--help"),
)
FULL: tuple[tuple[str, ...], ...] = (
    *BARE,
    ("telemetry-sink", "console", "--help"),
    ("telemetry-sink", "run", "alerts", "--help"),
    ("telemetry-loadtest", "--help"),
    ("telemetry-loadtest", "run", "--help"),
    ("telemetry-infra", "up", "--help"),
)


class Failed(Exception):
    """A step that did not do what it must. The text has its output."""


def main(dist: Path, pythons: Sequence[str]) -> None:
    (wheel,) = dist.resolve().glob("*.whl")
    for python in pythons or at_hand():
        for name, commands in (("locked", BARE), ("every extra", FULL)):
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                check(python, wheel, Path(folder), commands, is_locked=name == "locked")
            print(f"{python}, {name}: good, {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201


def at_hand() -> list[str]:
    """The supported Pythons of the path, and of pyenv."""
    found = []
    for version in PYTHONS:
        kept = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        python = str(kept[-1]) if kept else shutil.which(f"python{version}")
        if python:
            found.append(python)
    return found or [sys.executable]


def check(
    python: str, wheel: Path, folder: Path, commands: Sequence[tuple[str, ...]], *, is_locked: bool
) -> None:
    """Raises Failed."""
    done(folder, INSTALL_SECONDS, python, "-m", "venv", "venv")
    programs = folder / "venv" / "bin"
    pip = (str(programs / "python"), "-m", "pip", "install", "--quiet")
    if is_locked:
        lock = str(ROOT / "requirements" / "base.txt")
        done(folder, INSTALL_SECONDS, *pip, "--require-hashes", "-r", lock)
        done(folder, INSTALL_SECONDS, *pip, "--no-deps", str(wheel))
    else:
        done(folder, INSTALL_SECONDS, *pip, f"{wheel}[{EXTRAS}]")
    for command in commands:
        done(folder, COMMAND_SECONDS, str(programs / command[0]), *command[1:])
    lives(programs / "telemetry-gateway", folder)


def done(folder: Path, seconds: float, *command: str) -> None:
    """Run it away from the project, so that only what is installed is found. Raises Failed."""
    ended = subprocess.run(
        command, cwd=folder, env=clean(), capture_output=True, text=True, timeout=seconds,
        check=False,
    )  # fmt: skip
    if ended.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit {ended.returncode}\n{ended.stdout}{ended.stderr}")


def lives(gateway: Path, folder: Path) -> None:
    """It starts without Kafka, answers, and ends when it is told to. Raises Failed."""
    options = {"TELEMETRY_GATEWAY_PORT": "0", "TELEMETRY_KAFKA_BOOTSTRAP": NOBODY}
    with subprocess.Popen(
        [str(gateway), "serve", "--data", "data"],
        cwd=folder, env={**clean(), **options}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            ready = re.search(r"http://\S+", process.stdout.readline())
            if ready is None:
                raise Failed("the gateway did not start")
            with urlopen(f"{ready[0]}/livez", timeout=10) as answer:
                body = answer.read()
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
    if code != 0 or body != b'{"live":true}':
        raise Failed(f"/livez: {body!r}, exit {code}")


def clean() -> dict[str, str]:
    left_out = ("TELEMETRY_", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: one for name, one in os.environ.items() if not name.startswith(left_out)}


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2:])
    except Failed as error:
        sys.exit(f"make dist: {error}")
