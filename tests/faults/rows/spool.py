"""Rows of the spool's disk: too small, failing, and a log that a crash or the disk has damaged."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gateway.publish.spool.entry import Found as Entry
from gateway.publish.spool.entry import scan
from gateway.publish.spool.lane_log import LaneLog
from tests.e2e.path_rig import GATEWAY
from tests.faults.load import SteadyLoad
from tests.faults.rig import FaultRig
from tests.faults.row import Found, Row, times
from tests.kafka import wait_until

FILE_BYTES = 48 * 1024
DISK_BYTES = 1024 * 1024
REFUSALS = 50  # answers of 503 until a disk counts as full
SPOOLED_FILES = 6  # lanes that have something to damage


def disk_full(rig: FaultRig, scale: float) -> Found:
    """Outages with files that may not grow, and where one can be mounted with a disk that is
    full."""
    rounds = times(scale, 10)
    rig.start_sink()
    wrong = _outages(rig, ("tests.faults.small_files", str(FILE_BYTES), *GATEWAY), rounds)
    with _small_disk(rig.folder / "spool") as is_mounted:
        if is_mounted:
            wrong += _outages(rig, GATEWAY, rounds)
    rig.start_gateway()
    kinds = [f"files of {FILE_BYTES // 1024} KB at most"]
    kinds += ["a disk of 1 MB"] if is_mounted else []
    refused = sum(one.statuses[503] for one in rig.loads)
    note = f"{' and '.join(kinds)}, {refused} answers of 503"
    return Found(injected=rounds * len(kinds), wrong=wrong, note=note)


def _outages(rig: FaultRig, command: Sequence[str], rounds: int) -> list[str]:
    """Under load, and a gateway that has stopped with an empty spool afterwards."""
    wrong: list[str] = []
    rig.start_gateway(command).wait_until_ready()
    with rig.steady() as load:
        for number in range(1, rounds + 1):
            rig.say(f"outage {number} of {rounds}")
            wrong += _outage_without_room(rig, load)
    rig.gateway.wait_until_ready()
    rig.wait_drained()
    if rig.gateway.stop() != 0:
        wrong.append("the gateway did not stop as it should")
    return wrong


def _outage_without_room(rig: FaultRig, load: SteadyLoad) -> list[str]:
    load.wait_accepted(200)
    refused, errors = load.statuses[503], rig.metric("spool_disk_errors_total") or 0
    rig.kafka.pause_all()
    wait_until(lambda: load.statuses[503] >= refused + REFUSALS, 120, "answers of 503")
    wait_until(
        lambda: (rig.metric("spool_disk_errors_total") or 0) > errors, 30, "the disk's failure"
    )
    rig.kafka.resume_all()
    load.wait_all_devices()
    return ["the gateway has ended"] if rig.gateway.is_dead() else []


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """A disk of its own for the spool, where this user may mount one."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def log_damaged(rig: FaultRig, scale: float) -> Found:
    """Killed with a full spool. Its logs get a torn end and a damaged entry more than they had,
    so that whatever else is missing afterwards was lost."""
    rounds = times(scale, 30)
    wrong: list[str] = []
    torn = damaged = 0
    rig.start_path()
    with rig.steady() as load:
        for number in range(1, rounds + 1):
            rig.say(f"crash {number} of {rounds}")
            load.wait_accepted(200)
            rig.kafka.pause_all()
            wait_until(lambda: len(rig.spooled()) >= SPOOLED_FILES, 60, "a spool")
            rig.gateway.kill()
            logs = [one for one in rig.spooled() if _cut_unfinished(one)]
            if number == 1:
                rig.say("cutting a log at every byte")
                cuts, complaints = _cut_everywhere(logs[0], rig.folder / "cut")
                wrong += complaints
            torn_bytes = sum(_tear(one) for one in logs)
            flipped = sum(_flip(one) for one in logs)
            rig.start_gateway()
            found = rig.metric("spool_torn_bytes_total"), rig.metric("spool_quarantined_total")
            if found != (torn_bytes, flipped):
                wrong.append(f"found were {found}, made {torn_bytes} torn bytes, {flipped} damages")
            torn, damaged = torn + torn_bytes, damaged + flipped
            rig.kafka.resume_all()
            load.wait_all_devices()
    note = f"{cuts} cuts of one log, then {torn} torn bytes and {damaged} damaged entries"
    return Found(injected=cuts + rounds, wrong=wrong[:5], note=note)


def _cut_everywhere(path: Path, folder: Path) -> tuple[int, list[str]]:
    """Cut copies of a log at each byte of its last entry: the entries before it are all there."""
    data = path.read_bytes()
    entries, _ = scan(data)
    last = entries[-1]
    wrong: list[str] = []
    for cut in range(last.start, last.end):
        folder.mkdir()
        (folder / path.name).write_bytes(data[:cut])
        log = LaneLog(folder, folder / "quarantine")
        damage = log.adopt()
        if (log.left, damage.torn_bytes) != (last.start, cut - last.start):
            wrong.append(f"cut at {cut}: {log.left} bytes left of {last.start}")
        log.close()
        shutil.rmtree(folder)
    return last.end - last.start, wrong


def _cut_unfinished(path: Path) -> bool:
    """Cut off what the kill itself left of a write, so that every torn byte is one of ours.

    Nobody was told that it is safe. True if the log has an entry.
    """
    data = path.read_bytes()
    entries, _ = scan(data)
    path.write_bytes(data[: entries[-1].end] if entries else b"")
    return bool(entries)


def _tear(path: Path) -> int:
    """Put the beginning of an entry behind a log, as a crash in a write does; its bytes."""
    data, last = _last_entry(path)
    piece = data[last.start : random.randrange(last.start + 1, last.end)]
    path.write_bytes(data + piece)
    return len(piece)


def _flip(path: Path) -> int:
    """Put a copy of the last entry before it, with one bit turned; how many damages that makes."""
    data, last = _last_entry(path)
    copy = bytearray(data[last.start : last.end])
    bit = random.randrange(len(copy) * 8)
    copy[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data[: last.start] + copy + data[last.start :])
    return 1


def _last_entry(path: Path) -> tuple[bytes, Entry]:
    data = path.read_bytes()
    return data, scan(data)[0][-1]


ROWS = [
    Row(
        number=10,
        title="the spool's disk is full",
        fault="Kafka is away and the spool's disk has no room left: what cannot be kept is "
        "answered 503 and sent again, what was answered 200 is stored, the gateway lives on.",
        run=disk_full,
        seconds=150,
        short=0.1,
    ),
    Row(
        number=11,
        title="the spool's log is damaged",
        fault="The gateway is killed with a full spool, whose logs then get torn ends and entries "
        "with a bit turned: those are cut off or put aside and counted, all others are stored.",
        run=log_damaged,
        seconds=240,
        short=0.03,
    ),
]
