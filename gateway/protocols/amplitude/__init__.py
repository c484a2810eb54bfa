"""Amplitude's HTTP API, as its mobile and server SDKs speak it."""

from gateway.protocols.amplitude.protocol import AmplitudeProtocol

__all__ = ["AmplitudeProtocol"]
