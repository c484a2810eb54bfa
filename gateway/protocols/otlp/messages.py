"""OTLP's protobuf messages, all of their text declared as bytes.

protobuf refuses a whole message for one text that is no UTF-8, and a native crash handler's stack
is soon that. Here such a text costs only its broken characters.
"""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

from gateway.contract.refusal import RefusalCode, Refused

_FILES = (common_pb2, resource_pb2, logs_pb2)  # each after those it imports


def _with_bytes(file: FileDescriptor) -> FileDescriptorProto:
    declared = FileDescriptorProto()
    file.CopyToProto(declared)
    for message in declared.message_type:
        for field in message.field:
            if field.type == FieldDescriptorProto.TYPE_STRING:
                field.type = FieldDescriptorProto.TYPE_BYTES
    return declared


def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    for file in _FILES:
        pool.Add(_with_bytes(file.DESCRIPTOR))
    return pool


_POOL = _pool()


def _parser_of(name: str) -> Callable[[bytes], Message]:
    """Of a message of OTLP's logs. Raises Refused."""
    message = GetMessageClass(_POOL.FindMessageTypeByName(f"opentelemetry.proto.logs.v1.{name}"))

    def parsed(encoded: bytes) -> Message:
        try:
            return message.FromString(encoded)
        except DecodeError as error:
            if "Depth" in str(error):
                raise Refused(RefusalCode.TOO_DEEP, "the body is nested too deep") from None
            raise Refused(RefusalCode.INVALID_ENCODING, f"a {name} is broken") from None

    return parsed


resource_of = _parser_of("ResourceLogs")
scope_of = _parser_of("ScopeLogs")
record_of = _parser_of("LogRecord")


def response_of(rejected: int, text: str) -> bytes:
    """An ExportLogsServiceResponse, partial where records were rejected."""
    response = logs_service_pb2.ExportLogsServiceResponse()
    if rejected:
        response.partial_success.rejected_log_records = rejected
        response.partial_success.error_message = text
    encoded: bytes = response.SerializeToString()
    return encoded


def status_of(code: int, text: str) -> bytes:
    """A google.rpc.Status: field 1 is its code, below 128, field 2 its message."""
    message = text.encode("utf-8", "replace")
    return b"\x08%c\x12%b%b" % (code, _varint(len(message)), message)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
