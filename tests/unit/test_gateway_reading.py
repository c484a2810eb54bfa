"""Values of other vendors' bodies as text."""

from __future__ import annotations

import pytest
from msgspec import Raw

from gateway.protocols.reading import as_text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'"a"', "a"),
        (b"7", "7"),
        (b"1.5", "1.5"),
        (b"true", ""),
        (b"null", ""),
        (b"[1]", ""),
        (b'{"a":1}', ""),
    ],
)
def test_text_and_numbers_are_text(raw: bytes, text: str) -> None:
    assert as_text(Raw(raw)) == text
    assert as_text(None) == ""


@pytest.mark.parametrize(
    "raw", [b"[" * 50_000 + b"]" * 50_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000]
)
def test_what_cannot_be_text_is_not_read(raw: bytes) -> None:
    """A decoder would give up on it."""
    assert as_text(Raw(raw)) == ""
