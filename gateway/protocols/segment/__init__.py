"""Segment's HTTP API, as its mobile and server SDKs speak it."""

from gateway.protocols.segment.protocol import SegmentProtocol

__all__ = ["SegmentProtocol"]
