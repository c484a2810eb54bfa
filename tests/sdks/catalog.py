"""The SDKs that are run, as their registries have them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

HERE = Path(__file__).parent
NODE = HERE / "node"


class Sdk(Struct, frozen=True):
    """An SDK in one mode, and the script that uses it."""

    name: str
    protocol: str
    script: str  # in python/ or node/
    package: str  # as its registry calls it
    mode: str = ""

    @property
    def is_node(self) -> bool:
        return self.script.endswith(".mjs")

    @property
    def command(self) -> Sequence[str]:
        if self.is_node:
            return ["node", str(NODE / self.script)]
        return [sys.executable, "-W", "ignore", str(HERE / "python" / self.script)]


SDKS = (
    Sdk("Segment, Python", "segment", "segment_app.py", "segment-analytics-python"),
    Sdk("Segment, Node", "segment", "segment_app.mjs", "@segment/analytics-node"),
    Sdk("RudderStack, Python", "rudder", "rudder_app.py", "rudder-sdk-python"),
    Sdk("RudderStack, Node", "rudder", "rudder_app.mjs", "@rudderstack/rudder-sdk-node"),
    Sdk("PostHog, Python", "posthog", "posthog_app.py", "posthog", "v0"),
    Sdk("PostHog, Python, v1", "posthog", "posthog_app.py", "posthog", "v1"),
    Sdk("PostHog, Node", "posthog", "posthog_app.mjs", "posthog-node"),
    Sdk("Amplitude, Python", "amplitude", "amplitude_app.py", "amplitude-analytics", "/2/httpapi"),
    Sdk("Amplitude, Python, batch", "amplitude", "amplitude_app.py", "amplitude-analytics", "/batch"),
    Sdk("Amplitude, Node", "amplitude", "amplitude_app.mjs", "@amplitude/analytics-node"),
    Sdk("Mixpanel, Python", "mixpanel", "mixpanel_app.py", "mixpanel"),
    Sdk("Mixpanel, Python, buffered", "mixpanel", "mixpanel_app.py", "mixpanel", "buffered"),
    Sdk("Mixpanel, Node", "mixpanel", "mixpanel_app.mjs", "mixpanel"),
    Sdk("Sentry, Python", "sentry", "sentry_app.py", "sentry-sdk"),
    Sdk("Sentry, Node", "sentry", "sentry_app.mjs", "@sentry/node"),
    Sdk("OpenTelemetry, Python", "otlp", "otlp_app.py", "opentelemetry-exporter-otlp-proto-http"),
)  # fmt: skip
