"""The one private attribute of the engine's library that we use: its parser's verdict."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import chdb, sys
connection = chdb.connect(sys.argv[1])
good = ("SELECT 1", "INSERT INTO t VALUES", "SET max_threads = 1")
for statement in (*good, "SELECT 1; SELECT 2", "SELECT FROM FROM ("):
    found = connection._conn.classify_query(statement)
    print(found["statement_count"], str(found["query_class"]).rpartition(".")[2].partition(":")[0])
connection.close()
"""


def test_a_statement_is_counted_and_classified_without_being_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "store")],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    kinds = [line.split() for line in done.stdout.splitlines()]
    assert kinds[:3] == [["1", "READ_ONLY"], ["1", "MUTATING"], ["1", "CONTROL"]]
    assert [one[0] for one in kinds[3:]] == ["2", "0"]
