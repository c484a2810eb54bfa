"""The Node SDKs of package-lock.json, installed once."""

from __future__ import annotations

import shutil
import subprocess

from tests.sdks.catalog import NODE

LOCK = NODE / "package-lock.json"
INSTALLED = NODE / "node_modules" / ".package-lock.json"


def has_npm() -> bool:
    return shutil.which("npm") is not None


def install() -> None:
    """`npm ci`, unless what is there was made from this lock file. No package's scripts run."""
    if INSTALLED.exists() and INSTALLED.stat().st_mtime >= LOCK.stat().st_mtime:
        return
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=NODE, check=True, timeout=600)
