"""OpenTelemetry's log records over HTTP, as protobuf or JSON, by its mobile conventions."""

from gateway.protocols.otlp.protocol import OtlpProtocol

__all__ = ["OtlpProtocol"]
