"""The topics as an AsyncAPI 3 document, made from the topic table and the structs of what lies
in them."""

from __future__ import annotations

import msgspec

from gateway.contract.dead_letter import DeadLetter
from gateway.contract.forgotten import Wish
from gateway.contract.schema import CONTRACT_VERSION, RECORD_SCHEMA_FILE, JsonObject
from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD, APP_FORGOTTEN, TOPICS, Topic

ASYNCAPI_FILE = "asyncapi.json"
KAFKA_BINDING = "0.5.0"
SCHEMA_REFERENCE = "#/components/schemas/{name}"


def asyncapi() -> JsonObject:
    """Every topic with its settings by default, and what its records are where that is fixed."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Telemetry topics",
            "version": CONTRACT_VERSION,
            "description": "What the gateway and its sinks write to Kafka, for anybody to read.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {f"write-{topic.name}": _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {topic.name: _message(topic) for topic in TOPICS},
            "schemas": _schemas(),
        },
    }


def _schemas() -> JsonObject:
    _, made = msgspec.json.schema_components([Wish], ref_template=SCHEMA_REFERENCE)
    return dict(made)


def _channel(topic: Topic) -> JsonObject:
    return {
        "address": topic.name,
        "description": topic.meaning,
        "messages": {"record": {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": topic.cleanup_policy.split(","),
                    "retention.ms": topic.retention_ms,
                    "max.message.bytes": topic.max_message_bytes,
                },
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operation(topic: Topic) -> JsonObject:
    channel = f"#/channels/{topic.name}"
    return {
        "action": "send",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/record"}],
    }


def _message(topic: Topic) -> JsonObject:
    if topic.name == APP_EVENTS.name:
        return _event_message()
    if topic.name == APP_EVENTS_DEAD.name:
        return _dead_message()
    if topic.name == APP_FORGOTTEN.name:
        return _forgotten_message()
    return {"name": topic.name, "summary": topic.meaning}


def _event_message() -> JsonObject:
    return {
        "name": APP_EVENTS.name,
        "summary": "One event. An event that a phone sent again may lie there twice.",
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": {"traceparent": {"type": "string", "description": "W3C trace context"}},
        },
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./{RECORD_SCHEMA_FILE}"},
        },
        "bindings": _key_binding("the device id, UTF-8; partitioned as Kafka's Java client does"),
    }


def _dead_message() -> JsonObject:
    names = DeadLetter.__struct_fields__
    return {
        "name": APP_EVENTS_DEAD.name,
        "summary": "An event nobody will store: its original bytes, cut where they are long.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "description": "As UTF-8 text. What is not known is left out.",
            "properties": {name: {"type": "string"} for name in names},
            "required": ["source", "code", "text"],
        },
        "bindings": _key_binding("the device id where it is known"),
    }


def _forgotten_message() -> JsonObject:
    return {
        "name": APP_FORGOTTEN.name,
        "summary": "A wish to be forgotten. A record without a value takes it back.",
        "contentType": "application/json",
        "payload": {"$ref": SCHEMA_REFERENCE.format(name=Wish.__name__)},
        "bindings": _key_binding("the hash that the wish is recognised by"),
    }


def _key_binding(meaning: str) -> JsonObject:
    key = {"type": "string", "description": meaning}
    return {"kafka": {"key": key, "bindingVersion": KAFKA_BINDING}}
