"""Run one row: its faults, then the ledger against ClickHouse, then its negative control."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from tests.faults.results import ControlResult, RowResult, commit_now, keep_logs, machine_now
from tests.faults.rig import Engines, ExactFaultRig, FaultRig
from tests.faults.row import Control, Row, Variant

Say = Callable[[str], None]


class Judged(Struct, kw_only=True):
    """What is known after the faults and the comparison."""

    injected: int = 0
    acknowledged: int = 0
    lost: int = 0
    duplicated: int = 0
    inverted: int = 0
    stall_seconds: float = 0.0
    errors_500: int = 0
    note: str = ""
    wrong: list[str] = []
    is_complete: bool = False  # the faults were done and the comparison made


def run_row(engines: Engines, row: Row, variant: Variant, scale: float, say: Say) -> RowResult:
    """One row and its control. What goes wrong stands in the result, whatever it was."""
    started, at = time.monotonic(), datetime.now(UTC)
    found = _attempt(engines, row, variant, scale, say)
    control = _control(engines, row, row.control, scale, say) if row.control else None
    return RowResult(
        row=f"{row.number}{variant.letter if row.has_variants else ''}",
        title=row.title,
        fault=row.fault,
        injected=found.injected,
        acknowledged=found.acknowledged,
        lost=found.lost,
        duplicated=found.duplicated,
        inverted=found.inverted,
        stall_seconds=round(found.stall_seconds, 2),
        errors_500=found.errors_500,
        seconds=round(time.monotonic() - started, 1),
        wrong=found.wrong,
        note=found.note,
        control=control,
        scale=scale,
        commit=commit_now(),
        at=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        machine=machine_now(),
    )


def _control(engines: Engines, row: Row, control: Control, scale: float, say: Say) -> ControlResult:
    say(f"control: {control.says}")
    found = _attempt(engines, row, Variant(), scale, say, control)
    count = len(found.wrong) if control.must == "wrong" else int(getattr(found, control.must))
    if not found.is_complete:
        return ControlResult(says=control.says, outcome=found.wrong[0], is_found_out=False)
    outcome = found.wrong[0] if control.must == "wrong" and count else f"{control.must} {count}"
    return ControlResult(says=control.says, outcome=outcome, is_found_out=count > 0)


def _attempt(
    engines: Engines, row: Row, variant: Variant, scale: float, say: Say,
    control: Control | None = None,
) -> Judged:  # fmt: skip
    run = row.run if control is None else control.run
    is_spoiling = control is not None and control.is_spoiling
    kafka = engines.spoilt_kafka if is_spoiling else engines.cluster
    clickhouse = engines.spoilt_clickhouse if is_spoiling else engines.clickhouse
    rig_type = ExactFaultRig if row.is_exact else FaultRig
    judged = Judged()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        rig = rig_type(kafka, clickhouse, Path(folder), variant, engines, say)
        try:
            found = run(rig, scale)
            judged.injected, judged.note = found.injected, found.note
            judged.acknowledged = found.acknowledged
            judged.wrong = list(found.wrong)
            say("comparing")
            engines.heal()
            _compare(rig, judged)
            judged.is_complete = True
        except Exception as error:  # noqa: BLE001  # it is what this row has to tell
            judged.wrong.append(f"{type(error).__name__}: {error}"[:600])
            judged.note = f"{judged.note} {rig.last_words()}".strip()
        finally:
            rig.close()
            if judged.wrong and control is None:
                keep_logs(f"{row.number}{variant.letter}", rig.folder)
            engines.heal()
    return judged


def _compare(rig: FaultRig, judged: Judged) -> None:
    judged.stall_seconds = max((one.longest_stall for one in rig.loads), default=0.0)
    judged.errors_500 = sum(one.statuses[500] for one in rig.loads)
    if judged.errors_500:
        judged.wrong.append(f"{judged.errors_500} answers of 500")
    if not rig.ledger.entries:
        return
    found = rig.settled_findings().clickhouse
    judged.acknowledged = sum(len(events) for events in rig.ledger.accepted().values())
    judged.lost = found.lost.count
    judged.duplicated = max(found.duplicated.count, rig.surplus())
    judged.inverted = found.inverted.count
    others = {
        "altered": found.altered.count,
        "stored though never sent": found.never_sent.count,
        "put aside by the sink": found.dead_lettered.count,
        "without a final answer": rig.ledger.given_up(),
    }
    counts = {"lost": judged.lost, "duplicated": judged.duplicated, "inverted": judged.inverted}
    judged.wrong += [f"{count} {name}" for name, count in (counts | others).items() if count]
    if rig.sink_restarts:
        judged.note = f"{judged.note}; sink started again {rig.sink_restarts} times".lstrip("; ")
