"""Compressed request bodies, inflated under a cap; a truncated one is an error, not fewer rows."""

from __future__ import annotations

import zlib

import lz4.frame
import zstandard

from infra.local.clickhouse.errors import CANNOT_INFLATE, NOT_IMPLEMENTED, TOO_LARGE, refuse

STEP_BYTES = 64 * 1024


def inflate(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The plain body of a Content-Encoding. Raises ClickHouseError."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    try:
        if name in ("gzip", "deflate"):
            stream = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
            plain = stream.decompress(body, max_bytes + 1)
            complete = stream.eof or len(plain) > max_bytes
        elif name == "zstd":
            plain, complete = _zstd(body, max_bytes)
        elif name == "lz4":
            lz4_stream = lz4.frame.LZ4FrameDecompressor()
            plain = lz4_stream.decompress(body, max_length=max_bytes + 1)
            complete = lz4_stream.eof or len(plain) > max_bytes
        else:
            raise refuse(NOT_IMPLEMENTED, f"Content-Encoding {name[:32]} is not supported")
    except (zlib.error, zstandard.ZstdError, RuntimeError) as error:
        raise refuse(CANNOT_INFLATE, f"Cannot decompress the body: {error}") from None
    if len(plain) > max_bytes:
        raise refuse(TOO_LARGE, f"The body has more than {max_bytes} bytes")
    if not complete:
        raise refuse(CANNOT_INFLATE, "Cannot decompress the body: it is truncated")
    return plain


def _zstd(body: bytes, max_bytes: int) -> tuple[bytes, bool]:
    stream = zstandard.ZstdDecompressor().decompressobj()
    plain = bytearray()
    for start in range(0, len(body), STEP_BYTES):
        plain += stream.decompress(body[start : start + STEP_BYTES])
        if len(plain) > max_bytes or stream.eof:
            break
    return bytes(plain), stream.eof
