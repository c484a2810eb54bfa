"""Run a program that cannot write any file beyond so many bytes, as on a disk that fails:
`python -m tests.faults.small_files BYTES MODULE [ARGUMENT …]`."""

from __future__ import annotations

import os
import resource
import sys


def main() -> None:
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    os.execv(sys.executable, [sys.executable, "-m", *sys.argv[2:]])  # noqa: S606  # it keeps its pid


if __name__ == "__main__":
    main()
