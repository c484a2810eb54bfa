"""The Node SDKs of package-lock.json, installed once."""

from __future__ import annotations

import shutil
import subprocess

from tests.sdks.catalog import NODE

LOCK = NODE / "package-lock.json"
INSTALLED = NODE / "node_modules" / ".package-lock.json"
OLDEST_NODE = (20, 20)
NEEDS = "npm and Node 20.20 or later are needed"


def can_run() -> bool:
    if shutil.which("npm") is None or shutil.which("node") is None:
        return False
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    major, minor, _ = told.stdout.strip().removeprefix("v").split(".", 2)
    return (int(major), int(minor)) >= OLDEST_NODE


def install() -> None:
    """`npm ci`, unless what is there was made from this lock file. No package's scripts run."""
    if not can_run():
        raise RuntimeError(NEEDS)
    if INSTALLED.exists() and INSTALLED.stat().st_mtime >= LOCK.stat().st_mtime:
        return
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=NODE, check=True, timeout=600)
