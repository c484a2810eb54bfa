"""RudderStack's routes and its source-config answer.

Its mobile SDKs post to `/v1/batch`, as Segment's server SDKs do; that path is served for both by
the Segment protocol, which follows RudderStack's table there. Under the prefix `/rudder` all is
RudderStack's.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.protocols.protocol import Answer, Head, Route
from gateway.protocols.segment.protocol import CALL_PATHS, SegmentProtocol

_encode = msgspec.json.Encoder().encode


class RudderProtocol(SegmentProtocol):
    """RudderStack: `/rudder/v1/batch`, one path per call, and `/sourceConfig`."""

    name = "rudder"

    def __init__(self) -> None:
        super().__init__()
        batches = [Route("POST", path) for path in ("/v1/batch", "/v1/import")]
        calls = [Route("POST", f"/v1/{call}") for call in CALL_PATHS]
        config = Route("GET", "/sourceConfig", answer=self._source_config)
        self.routes: Sequence[Route] = (*batches, *calls, config)

    def is_retry(self, head: Head) -> bool:
        return head.header(b"rsa-retry-attempt") not in ("", "0")

    def _is_rudder(self, head: Head) -> bool:
        return True

    def _source_config(self, head: Head) -> Answer:
        """What its SDKs ask before they send anything. Never a 4xx: they would give up, or delete
        what they have stored; `enabled` false would make them throw it away."""
        source = {
            "id": "telemetry-gateway",
            "name": "telemetry-gateway",
            "writeKey": self.credentials(head) or "",
            "enabled": True,
            "config": {
                "statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}
            },
            "destinations": [],
            "updatedAt": "2026-01-01T00:00:00.000Z",
            "dataplanes": {},
        }
        return Answer(200, _encode({"isHosted": True, "source": source}))
