"""Countly's ingestion API, as its mobile and server SDKs speak it."""

from gateway.protocols.countly.protocol import CountlyProtocol

__all__ = ["CountlyProtocol"]
