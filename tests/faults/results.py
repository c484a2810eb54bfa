"""Results of rows, kept as JSON lines, so that a run can be interrupted and gone on with."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".faults"


class ControlResult(Struct, frozen=True, kw_only=True):
    """What came of the negative control: it must be found out."""

    says: str
    outcome: str  # "lost 12", or why it counts for nothing
    is_found_out: bool


class RowResult(Struct, frozen=True, kw_only=True):
    """One row, run once."""

    row: str  # number and variant, as 13a
    title: str
    fault: str
    injected: int
    acknowledged: int  # events
    lost: int
    duplicated: int
    inverted: int  # devices
    stall_seconds: float  # longest between two answers of 200 while load ran
    errors_500: int
    seconds: float
    wrong: list[str]
    note: str = ""
    control: ControlResult | None = None
    scale: float
    commit: str
    at: str  # UTC
    machine: str

    @property
    def complaints(self) -> list[str]:
        """Why the row is not good."""
        if self.control is None or self.control.is_found_out:
            return self.wrong
        return [*self.wrong, f"the control was not found out: {self.control.outcome}"]

    @property
    def is_good(self) -> bool:
        return not self.complaints


class Results:
    """The file of all results; the last one of a row counts."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._file = folder / "results.jsonl"

    def add(self, result: RowResult) -> None:
        self._file.parent.mkdir(exist_ok=True)
        with self._file.open("ab") as file:
            file.write(msgspec.json.encode(result) + b"\n")

    def load(self) -> list[RowResult]:
        if not self._file.exists():
            return []
        lines = self._file.read_bytes().splitlines()
        return [msgspec.json.decode(one, type=RowResult) for one in lines if one.strip()]

    def latest(self, scale: float, commit: str | None = None) -> dict[str, RowResult]:
        """The last result of each row at this scale, of this commit or of any."""
        return {
            one.row: one
            for one in self.load()
            if one.scale == scale and commit in (None, one.commit)
        }

    def fullest(self) -> dict[str, RowResult]:
        """Of each row the last result at the largest scale it was run at."""
        found = sorted(self.load(), key=lambda one: (one.scale, one.at))
        return {one.row: one for one in found}


def keep_logs(name: str, folder: Path) -> None:
    """For whoever asks why a row failed: the logs of its gateways and sinks, in `.faults/NAME`."""
    kept = FOLDER / name
    kept.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, kept)


@cache
def commit_now() -> str:
    """The commit, and where files differ from it a hash of the difference; "" without git."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD").decode().strip()
        difference = _git("diff", "HEAD", "--", "*.py", "*.sql", "pyproject.toml")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{head}+{hashlib.sha256(difference).hexdigest()[:8]}" if difference else head


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def machine_now() -> str:
    return (
        f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
