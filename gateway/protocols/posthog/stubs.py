"""What PostHog's SDKs ask at their start, answered so that they go on: no flags, no replay, no
surveys. Crash capture must be said to be on: its absence switches it off on phones."""

from __future__ import annotations

import msgspec

from gateway.protocols.protocol import Answer, Head

_encode = msgspec.json.Encoder().encode
_FEATURES: dict[str, object] = {
    "supportedCompression": ["gzip", "gzip-js"],
    "sessionRecording": False,
    "surveys": False,
    "heatmaps": False,
    "captureDeadClicks": False,
    "capturePerformance": False,
    "autocapture_opt_out": False,
    "autocaptureExceptions": True,
    "errorTracking": {"autocaptureExceptions": True, "suppressionRules": []},
    "defaultIdentifiedOnly": True,
    "elementsChainAsString": True,
    "analytics": {"endpoint": "/i/v0/e/"},
    "siteApps": [],
}
_NO_FLAGS: dict[str, object] = {
    "flags": {},
    "featureFlags": {},
    "featureFlagPayloads": {},
    "errorsWhileComputingFlags": False,
}
_FLAGS = Answer(200, _encode({**_FEATURES, **_NO_FLAGS}))


def flags(head: Head) -> Answer:
    """`/flags` and `/decide`, of every version."""
    return _FLAGS


def remote_config(head: Head) -> Answer:
    """`/array/{key}/config`."""
    key = head.path.split("/")[-2]
    return Answer(200, _encode({"token": key, "hasFeatureFlags": False, **_FEATURES}))
