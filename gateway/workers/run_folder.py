"""Where the processes of one gateway find each other: a folder of sockets, and the spool's board.

The folder lives as long as its supervisor. Its path is short, as a socket's path has to be.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from pathlib import Path

MAX_SOCKET_PATH_BYTES = 100  # 104 on macOS, 108 on Linux, with the end of the string
LONGEST_NAME = "keeper.metrics"
KEEPER = "keeper"


class RunFolder:
    """Paths in the folder, by name."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def make(cls, lanes: int) -> RunFolder:
        """A new folder with a board of `lanes` zeros. Raises OSError."""
        path = Path(tempfile.mkdtemp(prefix="telemetry-"))
        if len(os.fsencode(path / LONGEST_NAME)) > MAX_SOCKET_PATH_BYTES:
            path.rmdir()
            raise OSError(f"TMPDIR is too long a path for sockets: {path.parent}")
        run = cls(path)
        run._board_path.write_bytes(bytes(lanes))
        return run

    @property
    def _board_path(self) -> Path:
        return self.path / "board"

    @property
    def keeper_socket(self) -> Path:
        return self.path / KEEPER

    def metrics_socket(self, name: str) -> Path:
        return self.path / f"{name}.metrics"

    def board(self) -> mmap.mmap:
        """The board, shared by all processes that open it."""
        with self._board_path.open("r+b") as file:
            return mmap.mmap(file.fileno(), 0)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
