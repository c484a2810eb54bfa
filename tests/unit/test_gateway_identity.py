"""Ids as UUIDs: one writing of each, and for a foreign id the same one for ever."""

from __future__ import annotations

from hashlib import sha1
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prepare.identity import as_uuid, foreign

NAMESPACE = UUID("5f0c5c1e-5d1b-5a3e-9a55-0f6d5a1b7c11")  # part of the stored data
ID = "0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e6f"

parts = st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), max_size=20)


class TestUuid:
    @given(st.uuids(), st.lists(st.booleans(), min_size=36, max_size=36))
    def test_every_writing_is_the_same_id(self, value: UUID, choices: list[bool]) -> None:
        written = "".join(
            ("" if char == "-" else char.upper()) if choice else char
            for char, choice in zip(str(value), choices, strict=True)
        )

        assert as_uuid(written) == str(value)

    @pytest.mark.parametrize(
        "text",
        [
            "", ID[:-1], ID + "0", ID + "\n", " " + ID, f"{{{ID}}}", f"urn:uuid:{ID}",
            ID.replace("f", "g"), "019-2f0c04c1e7a108a541f2f3c4d5e6f", ID.replace("1", "\uff11"),
        ],
    )  # fmt: skip
    def test_what_is_written_otherwise_is_none(self, text: str) -> None:
        assert as_uuid(text) is None


class TestForeign:
    @given(parts, parts)
    def test_is_the_version_5_uuid_of_rfc_9562(self, app: str, original: str) -> None:
        digest = sha1((NAMESPACE.bytes + f"{app}\x1f{original}".encode()), usedforsecurity=False)

        assert foreign(app, original) == str(UUID(bytes=digest.digest()[:16], version=5))

    @given(parts, parts, parts, parts)
    def test_parts_do_not_run_into_each_other(self, a: str, b: str, c: str, d: str) -> None:
        assert (foreign(a, b) == foreign(c, d)) is ((a, b) == (c, d))

    @given(parts)
    def test_is_an_id_that_needs_no_rewriting(self, original: str) -> None:
        made = foreign("demo", original)

        assert as_uuid(made) == made
