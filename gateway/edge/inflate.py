"""Compressed bodies inflated under a hard cap on their output.

A truncated stream, bytes behind its end, or a second layer of compression is refused: every byte
of a body either counts or is named.
"""

from __future__ import annotations

import zlib

import zstandard
from isal import isal_zlib
from isal.igzip_lib import IsalError

from gateway.contract.refusal import RefusalCode, Refused

MAX_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
UNDECLARED_STEP_BYTES = 128  # 4 bytes make a block, a block holds 128 KiB: at most 4 MiB a step

_zstd_context = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW_BYTES)


def inflate(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The plain body. `encoding` is the Content-Encoding as sent. Raises Refused."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if not body:
        return body
    if name == "gzip":
        return _gzip(body, max_bytes)
    if name == "zstd":
        return _zstd(body, max_bytes)
    raise Refused(
        RefusalCode.UNSUPPORTED_ENCODING,
        f"Content-Encoding is `{name[:64]}`, it must be `gzip`, `zstd` or none",
    )


def too_large(max_bytes: int) -> Refused:
    text = f"the body has more than {max_bytes} bytes decompressed"
    return Refused(RefusalCode.BODY_TOO_LARGE, text)


def _broken(text: str) -> Refused:
    return Refused(RefusalCode.INVALID_ENCODING, text)


def _gzip(body: bytes, max_bytes: int) -> bytes:
    stream = isal_zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain: bytes = stream.decompress(body, max_bytes + 1)
    except IsalError as error:  # type: ignore[misc]  # typed as a value in its stub
        raise _broken(f"the gzip body is broken: {error}") from None
    if len(plain) > max_bytes:
        raise too_large(max_bytes)
    if not stream.eof:
        raise _broken("the gzip body is truncated")
    if stream.unused_data:
        raise _broken("the gzip body goes on behind its end")
    return plain


def _zstd(body: bytes, max_bytes: int) -> bytes:
    """The decompressor has no cap of its own. A frame that declares its size cannot exceed it;
    one that does not is fed in pieces so small that a bomb ends with one of them."""
    stream = _zstd_context.decompressobj(read_across_frames=False)
    plain = bytearray()
    fed = 0
    try:
        declared = zstandard.frame_content_size(body)
        if declared > max_bytes:
            raise too_large(max_bytes)
        step = len(body) if declared >= 0 else UNDECLARED_STEP_BYTES
        while fed < len(body) and not stream.eof:
            plain += stream.decompress(body[fed : fed + step])
            fed += step
            if len(plain) > max_bytes:
                raise too_large(max_bytes)
    except zstandard.ZstdError as error:
        raise _broken(f"the zstd body is broken: {error}") from None
    if not stream.eof:
        raise _broken("the zstd body is truncated")
    if stream.unused_data or fed < len(body):
        raise _broken("the zstd body goes on behind its end")
    return bytes(plain)
