"""The OpenAPI description of the native protocol, made from the types that decode it."""

from __future__ import annotations

import msgspec

from gateway.protocols.native.wire import NativeBatch, NativeError, NativeReply
from gateway.runtime import version

ERRORS = {
    "400": "The body cannot be read: drop it.",
    "401": "The write key is not known: keep the events, stop until the configuration changes.",
    "408": "The body came too slowly: keep the events, send them again.",
    "413": "The body is too large: halve the batch, drop a single event.",
    "415": "Not our content type or encoding.",
    "429": "This caller sends more than its part: keep the events, wait Retry-After seconds.",
    "503": "Not known to be kept: keep the events, wait Retry-After seconds.",
}


def document() -> dict[str, object]:
    """OpenAPI 3.1 as plain values."""
    shapes, components = msgspec.json.schema_components(
        [NativeBatch, NativeReply, NativeError], ref_template="#/components/schemas/{name}"
    )
    batch, reply, error = shapes
    for component in components.values():
        component.pop("additionalProperties", None)  # unknown keys are kept, as properties
    responses: dict[str, object] = {
        "200": _response("Every accepted event is kept; rejected is final.", reply)
    }
    for status, meaning in ERRORS.items():
        responses[status] = _response(meaning, error)
    post = {
        "operationId": "postEvents",
        "summary": "Hand over a batch of events",
        "security": [{"bearer": []}, {"writeKey": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": batch}}},
        "responses": responses,
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mobile telemetry gateway", "version": version()},
        "paths": {"/v1/events": {"post": post}},
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "writeKey": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
            },
        },
    }


def _response(meaning: str, schema: dict[str, object]) -> dict[str, object]:
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}
