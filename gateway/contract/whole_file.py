"""A small file that is replaced as a whole, so that a reader sees the old one or the new one, and
knows which."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Stamp = tuple[int, int, int]  # of a file: another one after each replacement


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One writer of `path` at a time, also over processes; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.stem}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def replace(path: Path, content: bytes, mode: int = 0o600) -> None:
    """On disk when it returns."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}")
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)


def stamp_of(path: Path) -> Stamp | None:
    """Whether it is still the file that was read; None: there is none. Raises OSError."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
