"""Mixpanel's ingestion API, as its mobile and server SDKs speak it."""

from gateway.protocols.mixpanel.protocol import MixpanelProtocol

__all__ = ["MixpanelProtocol"]
