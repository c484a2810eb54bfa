"""Run a program whose event loops can be blocked: `python -m tests.faults.blockable MODULE
[ARGUMENT …]`. SIGUSR1 does it, to each process that the program starts too."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    path = [str(Path(__file__).parent / "at_start"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    command = [sys.executable, "-m", *sys.argv[1:]]
    os.execve(sys.executable, command, environment)  # noqa: S606  # it keeps its pid


if __name__ == "__main__":
    main()
