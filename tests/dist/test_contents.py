"""What wheel and sdist hold: every tracked file of the packages, and the same from both."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.dist.locks import ROOT

PACKAGES = ("gateway", "sinks", "loadtest", "infra")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = PROJECT["project"]["version"]
DEPLOYMENT = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["exclude"]  # no program reads it


def build(source: Path, into: Path, *kinds: str) -> None:
    """By what is installed: an isolated build would ask a registry."""
    command = [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(into)]
    done = subprocess.run(
        [*command, str(source)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def tracked(*folders: str) -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {one for one in listed.stdout.split("\0") if one and (ROOT / one).exists()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build(ROOT, folder, "--sdist", "--wheel")
    return folder


def contents(wheel: Path) -> dict[str, int]:
    """Files of the packages, with their checksums."""
    with ZipFile(wheel) as archive:
        files = {one.filename: one.CRC for one in archive.infolist()}
    return {name: crc for name, crc in files.items() if name.split("/")[0] in PACKAGES}


def test_the_wheel_has_every_file_of_the_packages(built: Path) -> None:
    """SQL, templates, dashboards and styles are asked for by name when the program runs."""
    (wheel,) = built.glob("*.whl")

    files = set(contents(wheel))
    assert tracked(*PACKAGES) - tracked(*DEPLOYMENT) == files
    assert {one.rpartition(".")[2] for one in files} >= {"sql", "html", "css", "js", "j2", "json"}


def test_the_sdist_has_what_is_tracked_and_makes_the_same_wheel(
    built: Path, tmp_path: Path
) -> None:
    (sdist,) = built.glob("*.tar.gz")
    (wheel,) = built.glob("*.whl")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    build(source, tmp_path / "again", "--wheel")
    (again,) = (tmp_path / "again").glob("*.whl")

    assert [one for one in tracked() if not (source / one).exists()] == []
    assert contents(again) == contents(wheel)


def test_the_version_is_that_of_pyproject(built: Path) -> None:
    """The only place that says it: programs ask for the installed one."""
    assert version("telemetry-gateway") == VERSION
    assert {path.name.split("-")[1].removesuffix(".tar.gz") for path in built.iterdir()} == {
        VERSION
    }
