"""One run of an SDK: its script in a process of its own, until it is quiet."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import msgspec
from msgspec import Struct

from tests.sdks.cases import LARGE_ORDERS, NOTES, ORDERS, Case, Gateways
from tests.sdks.catalog import ROOT, Sdk
from tests.sdks.orders import names
from tests.sdks.proxy import Lane, Seen

START_SECONDS = 60.0  # for the first request to come
QUIET_SECONDS = 6.0  # without a request: the SDK has given up, or is content
END_SECONDS = 8.0  # for what the SDK does at the app's end
POLL_SECONDS = 0.05


class Run(Struct, frozen=True, kw_only=True):
    """What was seen of it on the wire and of its process."""

    sdk: Sdk
    case: Case
    app: str
    orders: Sequence[str]
    started_at: float  # Unix seconds
    ended_at: float
    seen: Sequence[Seen]
    exit_code: int | None  # None: it did not end by itself
    output: str


class Plan(Struct, frozen=True):
    """A run to be: its app and write key are its own."""

    sdk: Sdk
    case: Case
    app: str = msgspec.field(default_factory=lambda: f"app-{uuid4()}")
    key: str = msgspec.field(default_factory=lambda: uuid4().hex)

    @property
    def orders(self) -> Sequence[str]:
        return names(LARGE_ORDERS if self.case is Case.TOO_LARGE else ORDERS)

    def run(self, gateways: Gateways, folder: Path) -> Run:
        lane = Lane(gateways.of(self.case), gateways.steps(self.case))
        started_at = time.time()
        log = folder / f"{self.app}.log"
        try:
            with log.open("wb") as output:
                process = subprocess.Popen(
                    self.sdk.command,
                    cwd=ROOT,
                    env=self._environment(lane.url, int(started_at)),
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
                try:
                    self._wait(process, lane)
                    assert process.stdin is not None
                    process.stdin.close()
                    exit_code = _exit_code(process)
                finally:
                    process.kill()
                    process.wait()
        finally:
            lane.close()
        return Run(
            sdk=self.sdk,
            case=self.case,
            app=self.app,
            orders=self.orders,
            started_at=started_at,
            ended_at=time.time(),
            seen=lane.seen,
            exit_code=exit_code,
            output=log.read_text("utf-8", "replace"),
        )

    def _environment(self, url: str, session: int) -> dict[str, str]:
        is_large = self.case is Case.TOO_LARGE
        known = {name: one for name, one in os.environ.items() if "proxy" not in name.lower()}
        return {
            **known,
            "SDK_URL": url,
            "SDK_KEY": self.key,
            "SDK_MODE": self.sdk.mode,
            "SDK_DO": "life" if self.case is Case.LIFE else "orders",
            "SDK_ORDERS": str(len(self.orders)),
            "SDK_NOTES": str(NOTES if is_large else 1),
            "SDK_SESSION": str(session),
        }

    def _wait(self, process: subprocess.Popen[bytes], lane: Lane) -> None:
        """Until all orders are taken, the process ends, or nothing more comes."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            taken = {name for one in lane.seen if one.status == 200 for name in one.orders}
            if taken.issuperset(self.orders):
                return
            asked = max((one.answered_at + one.retry_after for one in lane.seen), default=0.0)
            if lane.seen:
                deadline = max(lane.last_at, asked) + QUIET_SECONDS
            time.sleep(POLL_SECONDS)


def _exit_code(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        return None
