"""The SDKs that are run, as their registries have them, and what each of them does."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from tests.sdks.cases import LARGE_ORDERS, ORDERS, Case

ROOT = Path(__file__).parents[2]
NODE = ROOT / "tests" / "sdks" / "node"

SERVER = {"identify": 1, "app_open": 1, "screen": 1, "app_crash": 1, "app_close": 1}
RUDDER = {**SERVER, "session_start": 1}
AMPLITUDE = {
    "session_start": 1, "app_open": 1, "screen": 1, "identify": 1, "app_close": 1, "session_end": 1,
}  # fmt: skip
MIXPANEL = {"app_install": 1, "app_open": 1, "app_close": 1, "app_crash": 1, "identify": 1}
SENTRY = {"session_start": 1, "session_end": 1, "error": 1, "app_crash": 1}
OTLP = {"session_start": 1, "app_open": 1, "app_close": 1, "app_crash": 1, "session_end": 1}


class Sdk(Struct, frozen=True, kw_only=True):
    """An SDK in one mode, the script that uses it, and what it does by itself.

    `sends_again` after a lost answer and after a 503. What it gives up is lost, whatever the
    gateway answers: of three orders the one that met the fault, where each is sent alone.
    """

    name: str
    script: str  # in python/ or node/
    package: str  # as its registry calls it
    life: Mapping[str, int]  # events that a session of its app becomes
    mode: str = ""
    sends_again_lost: bool = True
    sends_again_refused: bool = True
    waits_as_told: bool = False  # by Retry-After
    sends_each_alone: bool = False
    large_stored: tuple[int, int] = (0, 0)  # least and most of the large orders
    bad_key_status: int
    has_session: bool = False

    @property
    def is_node(self) -> bool:
        return self.script.endswith(".mjs")

    @property
    def command(self) -> Sequence[str]:
        if self.is_node:
            return ["node", str(NODE / self.script)]
        module = f"tests.sdks.python.{self.script.removesuffix('.py')}"
        return [sys.executable, "-W", "ignore", "-m", module]

    def stored(self, case: Case) -> tuple[int, int]:
        """Least and most orders that are there after a run."""
        if case is Case.TOO_LARGE:
            return self.large_stored
        if case is Case.BAD_KEY:
            return 0, 0
        if case in (Case.OVERLOAD, Case.BALANCER) and not self.sends_again_refused:
            kept = ORDERS - 1 if self.sends_each_alone else 0
            return kept, kept
        return ORDERS, ORDERS


SDKS = (
    Sdk(
        name="Segment, Python", script="segment_app.py", package="segment-analytics-python",
        life=SERVER, waits_as_told=True, bad_key_status=401,
    ),
    Sdk(
        name="Segment, Node", script="segment_app.mjs", package="@segment/analytics-node",
        life=SERVER, bad_key_status=401,
    ),
    Sdk(
        name="RudderStack, Python", script="rudder_app.py", package="rudder-sdk-python",
        life=RUDDER, bad_key_status=401, has_session=True,
    ),
    Sdk(
        name="RudderStack, Node", script="rudder_app.mjs", package="@rudderstack/rudder-sdk-node",
        life=RUDDER, waits_as_told=True, bad_key_status=401, has_session=True,
        large_stored=(1, 1),  # it sends its first event alone
    ),
    Sdk(
        name="PostHog, Python", script="posthog_app.py", package="posthog", mode="v0",
        life=SERVER, waits_as_told=True, bad_key_status=401, has_session=True,
    ),
    Sdk(
        name="PostHog, Python, v1", script="posthog_app.py", package="posthog", mode="v1",
        life=SERVER, waits_as_told=True, bad_key_status=401, has_session=True,
    ),
    Sdk(
        name="PostHog, Node", script="posthog_app.mjs", package="posthog-node",
        life=SERVER, bad_key_status=401, has_session=True,
        large_stored=(LARGE_ORDERS, LARGE_ORDERS),
    ),
    Sdk(
        name="Amplitude, Python", script="amplitude_app.py", package="amplitude-analytics",
        mode="/amplitude/2/httpapi", life=AMPLITUDE, bad_key_status=400, has_session=True,
        sends_again_lost=False, large_stored=(1, LARGE_ORDERS),
    ),
    Sdk(
        name="Amplitude, Python, /batch", script="amplitude_app.py", package="amplitude-analytics",
        mode="/batch", life=AMPLITUDE, bad_key_status=400, has_session=True,
        sends_again_lost=False, large_stored=(1, LARGE_ORDERS),
    ),
    Sdk(
        name="Amplitude, Node", script="amplitude_app.mjs", package="@amplitude/analytics-node",
        life=AMPLITUDE, bad_key_status=400, has_session=True,
        sends_again_lost=False, large_stored=(LARGE_ORDERS, LARGE_ORDERS),
    ),
    Sdk(
        name="Mixpanel, Python", script="mixpanel_app.py", package="mixpanel",
        life=MIXPANEL, waits_as_told=True, bad_key_status=200,
        sends_each_alone=True, large_stored=(LARGE_ORDERS, LARGE_ORDERS),
    ),
    Sdk(
        name="Mixpanel, Python, buffered", script="mixpanel_app.py", package="mixpanel",
        mode="buffered", life=MIXPANEL, waits_as_told=True, bad_key_status=200,
    ),
    Sdk(
        name="Mixpanel, Node", script="mixpanel_app.mjs", package="mixpanel",
        life={**MIXPANEL, "app_open": 0},  # a close without a time tells of no open
        bad_key_status=200,
        sends_again_lost=False, sends_again_refused=False, sends_each_alone=True,
        large_stored=(LARGE_ORDERS, LARGE_ORDERS),
    ),
    Sdk(
        name="Sentry, Python", script="sentry_app.py", package="sentry-sdk",
        life=SENTRY, bad_key_status=403,
        sends_again_lost=False, sends_again_refused=False, sends_each_alone=True,
        large_stored=(LARGE_ORDERS, LARGE_ORDERS),
    ),
    Sdk(
        name="Sentry, Node", script="sentry_app.mjs", package="@sentry/node",
        life=SENTRY, bad_key_status=403,
        sends_again_lost=False, sends_again_refused=False, sends_each_alone=True,
        large_stored=(LARGE_ORDERS, LARGE_ORDERS),
    ),
    Sdk(
        name="OpenTelemetry, Python", script="otlp_app.py",
        package="opentelemetry-exporter-otlp-proto-http",
        life=OTLP, waits_as_told=True, bad_key_status=401, has_session=True,
    ),
)  # fmt: skip
