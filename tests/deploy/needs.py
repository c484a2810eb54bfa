"""What these tests need of a machine: skipped where it is missing, failed in CI."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.deploy.compose import ROOT

TOOLS = ROOT / ".tools" / "bin"  # made by `make tools`


def need(is_there: bool, what: str) -> None:
    if is_there:
        return
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def namespaces() -> None:
    """Root on Linux, with bubblewrap."""
    can = sys.platform == "linux" and os.geteuid() == 0
    need(can, "containers without an engine need Linux and root")
    commands = ("bwrap", "unshare", "setpriv", "ip")
    missing = [one for one in commands if shutil.which(one) is None]
    need(not missing, f"missing: {', '.join(missing)} (apt-get install bubblewrap iproute2)")


def tool(name: str) -> Path:
    """One of the Go programs of `make tools`."""
    need((TOOLS / name).exists(), f"{name} is missing: `make tools` builds it with Go")
    return TOOLS / name
