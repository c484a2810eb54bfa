"""Compressed request bodies, inflated under a cap.

A truncated one, or bytes behind its end, is an error, not fewer rows.
"""

from __future__ import annotations

import zlib

import lz4.frame
import zstandard

from infra.local.clickhouse.errors import CANNOT_INFLATE, NOT_IMPLEMENTED, TOO_LARGE, refuse

UNDECLARED_STEP_BYTES = 1024  # 4 bytes make a block of 128 KiB: at most 32 MiB a step


def inflate(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The plain body of a Content-Encoding. Raises ClickHouseError."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    try:
        if name in ("gzip", "deflate"):
            stream = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
            plain = stream.decompress(body, max_bytes + 1)
            is_complete, has_more = stream.eof, bool(stream.unused_data)
        elif name == "zstd":
            plain, is_complete, has_more = _zstd(body, max_bytes)
        elif name == "lz4":
            lz4_stream = lz4.frame.LZ4FrameDecompressor()
            plain = lz4_stream.decompress(body, max_length=max_bytes + 1)
            is_complete, has_more = lz4_stream.eof, bool(lz4_stream.unused_data)
        else:
            raise refuse(NOT_IMPLEMENTED, f"Content-Encoding {name[:32]} is not supported")
    except (zlib.error, zstandard.ZstdError, RuntimeError) as error:
        raise refuse(CANNOT_INFLATE, f"Cannot decompress the body: {error}") from None
    if len(plain) > max_bytes:
        raise refuse(TOO_LARGE, f"The body has more than {max_bytes} bytes")
    if not is_complete:
        raise refuse(CANNOT_INFLATE, "Cannot decompress the body: it is truncated")
    if has_more:
        raise refuse(CANNOT_INFLATE, "Cannot decompress the body: it goes on behind its end")
    return plain


def _zstd(body: bytes, max_bytes: int) -> tuple[bytes, bool, bool]:
    """The decompressor has no cap of its own. A frame that declares its size cannot exceed it;
    one that does not is fed in pieces so small that a bomb ends with one of them."""
    declared = zstandard.frame_content_size(body)
    if declared > max_bytes:
        raise refuse(TOO_LARGE, f"The body has more than {max_bytes} bytes")
    step = len(body) if declared >= 0 else UNDECLARED_STEP_BYTES
    stream = zstandard.ZstdDecompressor().decompressobj()
    plain = bytearray()
    fed = 0
    while fed < len(body) and not stream.eof and len(plain) <= max_bytes:
        plain += stream.decompress(body[fed : fed + step])
        fed += step
    return bytes(plain), stream.eof, bool(stream.unused_data) or fed < len(body)
