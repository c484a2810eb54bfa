"""Wire protocols: what a vendor's SDK sends, as batches of events; verdicts, as that SDK's answer.

Pure. The core knows no vendor: it knows the port in `protocol`, and this list.
"""

from collections.abc import Sequence

from gateway.protocols.amplitude import AmplitudeProtocol
from gateway.protocols.countly import CountlyProtocol
from gateway.protocols.mixpanel import MixpanelProtocol
from gateway.protocols.native import NativeProtocol
from gateway.protocols.otlp import OtlpProtocol
from gateway.protocols.posthog import PostHogProtocol
from gateway.protocols.protocol import Protocol
from gateway.protocols.rudder import RudderProtocol
from gateway.protocols.segment import SegmentProtocol
from gateway.protocols.sentry import SentryProtocol
from gateway.protocols.shared import SharedBatch
from gateway.protocols.snowplow import SnowplowProtocol

_posthog, _amplitude = PostHogProtocol(), AmplitudeProtocol()

PROTOCOLS: Sequence[Protocol] = (  # of two with the same path and method, the first has it
    NativeProtocol(),
    SegmentProtocol(),
    RudderProtocol(),
    SharedBatch(_posthog, _amplitude),
    _posthog,
    _amplitude,
    MixpanelProtocol(),
    SentryProtocol(),
    OtlpProtocol(),
    CountlyProtocol(),
    SnowplowProtocol(),
)
