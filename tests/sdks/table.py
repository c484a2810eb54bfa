"""The table of docs/SDKS.md: a row per SDK, filled from runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version

import msgspec

from tests.sdks.cases import Case
from tests.sdks.catalog import NODE, Sdk
from tests.sdks.judge import Outcome
from tests.sdks.proxy import CUT

START, END = "<!-- runs of real SDKs: made by `make sdks` -->", "<!-- end of runs -->"
COLUMNS = (
    "SDK", "arrives", "crash", "lifecycle", "answer lost twice", "overload", "another's 503",
    "too large together", "unknown key",
)  # fmt: skip
LIFECYCLE = (
    "app_install",
    "app_open",
    "app_close",
    "session_start",
    "session_end",
    "screen",
    "identify",
)
NOTHING = "–"  # noqa: RUF001  # a dash, as in the tables by hand


def table_of(sdks: Iterable[Sdk], outcomes: Mapping[tuple[str, Case], Outcome]) -> str:
    """Markdown. Each SDK has an outcome of each case."""
    rows = [_row(one, {case: outcomes[one.name, case] for case in Case}) for one in sdks]
    return "\n".join(_line(one) for one in (COLUMNS, ["---"] * len(COLUMNS), *rows))


def between_markers(page: str, table: str) -> str:
    head, _, rest = page.partition(START)
    _, _, tail = rest.partition(END)
    if not tail:
        raise ValueError(f"the page lacks {START} or {END}")
    return f"{head}{START}\n{table}\n{END}{tail}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(sdk: Sdk, found: Mapping[Case, Outcome]) -> Sequence[str]:
    life = found[Case.LIFE]
    mapped = [one for one in LIFECYCLE if life.types[one]]
    return [
        f"{sdk.name} ({sdk.package} {_version(sdk)})",
        _stored(life),
        _crash(life),
        ", ".join(f"`{one}`" for one in mapped) or NOTHING,
        *(_fault(found[case]) for case in (Case.ACK_LOST, Case.OVERLOAD, Case.BALANCER)),
        _fault(found[Case.TOO_LARGE]),
        _bad_key(found[Case.BAD_KEY]),
    ]


def _version(sdk: Sdk) -> str:
    if not sdk.is_node:
        return version(sdk.package)
    lock = msgspec.json.decode((NODE / "package-lock.json").read_bytes())
    return str(lock["packages"][f"node_modules/{sdk.package}"]["version"])


def _stored(found: Outcome) -> str:
    """Whether all orders are there, each once."""
    lost = len(found.run.orders) - found.stored
    count = "all" if not lost else "all lost" if not found.stored else f"{lost} lost"
    return count if found.is_once else f"{count}, **some twice**"


def _crash(life: Outcome) -> str:
    crashes = [one for one in life.rows if one["event_type"] == "app_crash"]
    return ", ".join(f"`{one['crash_type']}`" for one in crashes) or NOTHING


def _fault(found: Outcome) -> str:
    statuses = dict.fromkeys(_status(one.status) for one in found.run.seen if one.status != 200)
    told = "/".join(statuses) or "200"
    if wait := max((one.retry_after for one in found.run.seen), default=0):
        told += f", to wait {wait} s"
    again = f"again after {', '.join(_seconds(one) for one in found.waits[:3])} s"
    if len(found.waits) > 3:
        again += " …"
    if not found.failed:
        return _stored(found) + (
            ": 200, which ends it" if found.stored < len(found.run.orders) else ""
        )
    if found.waits:
        return f"{_stored(found)}: {told}, {again}"
    is_split = found.stored == len(found.run.orders) and len(found.run.seen) > found.failed
    if found.run.case is Case.TOO_LARGE and is_split:
        return f"{_stored(found)}: {told}, in smaller parts"
    return f"{_stored(found)}: {told}, not sent again"


def _bad_key(found: Outcome) -> str:
    told = "/".join(dict.fromkeys(_status(one.status) for one in found.run.seen))
    again = len(found.waits)
    return f"{told}, then {again} times again" if again else f"{told}, ends there"


def _status(status: int) -> str:
    return "closed" if status == CUT else str(status)


def _seconds(value: float) -> str:
    return f"{value:.1f}"
