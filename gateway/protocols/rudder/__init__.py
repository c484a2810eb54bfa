"""RudderStack: Segment's calls, with answers that its SDKs take in another way."""

from gateway.protocols.rudder.protocol import RudderProtocol

__all__ = ["RudderProtocol"]
