"""Snowplow's tracker protocol, as its mobile and server trackers speak it."""

from gateway.protocols.snowplow.protocol import SnowplowProtocol

__all__ = ["SnowplowProtocol"]
