"""The ledger on disk: in order, synced for all who wait, readable after kill -9."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadtest.ledger import Entry, Ledger
from loadtest.ledger_file import LedgerFile, read_entries


def entry(number: int, outcome: Any = "accepted") -> Entry:
    return Entry("phone-1", f"e-{number}", outcome, number)


def read(path: Path) -> list[Entry]:
    return [one for one, _ in read_entries(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


async def test_what_is_settled_can_be_read_at_once(path: Path) -> None:
    file = LedgerFile(path)
    ledger = Ledger(file=file)
    ledger.add([entry(1), entry(2, "rejected")])
    await ledger.settle()

    assert read(path) == ledger.entries
    file.close()


async def test_those_who_wait_together_share_a_write_and_keep_their_order(path: Path) -> None:
    file = LedgerFile(path)

    async def add(number: int) -> None:
        file.append([entry(number)])
        await file.settle()
        assert file.is_synced(number)
        assert entry(number) in read(path)

    await asyncio.gather(*(add(number) for number in range(1, 51)))
    file.close()

    assert read(path) == [entry(number) for number in range(1, 51)]


def test_what_nobody_waited_for_is_written_when_it_is_closed(path: Path) -> None:
    file = LedgerFile(path)
    file.append([entry(1)])
    assert read(path) == []

    file.close()

    assert read(path) == [entry(1)]


def test_a_later_run_goes_on_behind_a_torn_line(path: Path) -> None:
    whole = msgspec.json.encode(entry(1)) + b"\n"
    path.write_bytes(whole + b'{"device_id":"pho')
    assert read(path) == [entry(1)]

    file = LedgerFile(path)
    file.append([entry(2)])
    file.close()

    assert read(path) == [entry(1), entry(2)]


@pytest.mark.parametrize("torn", ["", "{", "x" * 200_000])
def test_only_the_torn_line_is_cut(path: Path, torn: str) -> None:
    lines = b"".join(msgspec.json.encode(entry(one)) + b"\n" for one in range(3))
    path.write_bytes(lines + torn.encode())

    LedgerFile(path).close()

    assert path.read_bytes() == lines


def test_any_other_line_that_is_no_entry_is_an_error(path: Path) -> None:
    path.write_bytes(b'{"device_id":"d","event_id":"e","outcome":"lost"}\n')

    with pytest.raises(msgspec.DecodeError):
        read(path)


WRITER = """
import asyncio, itertools, sys
from pathlib import Path
from loadtest.ledger import Entry
from loadtest.ledger_file import LedgerFile

async def main():
    file = LedgerFile(Path(sys.argv[1]))
    for number in itertools.count(1):
        file.append([Entry("phone-1", f"e-{number}", "accepted", number)])
        await file.settle()
        print(number, flush=True)

asyncio.run(main())
"""


def test_after_kill_9_everything_that_was_settled_is_there(path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    told += [int(line) for line in writer.stdout]
    writer.stdout.close()
    writer.wait(30)

    entries = read(path)
    assert len(entries) >= told[-1] >= 50
    assert entries == [entry(number) for number in range(1, len(entries) + 1)]
