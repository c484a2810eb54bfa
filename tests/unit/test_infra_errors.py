"""The engine's exceptions as ClickHouse's HTTP interface words them."""

from __future__ import annotations

import pytest

from infra.local.clickhouse.errors import ACCESS_DENIED, from_engine, refuse


@pytest.mark.parametrize(
    ("code", "status"), [(62, 400), (47, 404), (60, 404), (497, 403), (159, 408), (241, 500)]
)
def test_a_code_has_the_status_a_server_gives_it(code: int, status: int) -> None:
    error = from_engine(RuntimeError(f"Code: {code}. DB::Exception: Words. (NAME)"))

    assert (error.code, error.status) == (code, status)
    assert error.body("26.9") == (
        f"Code: {code}. DB::Exception: Words. (NAME) (version 26.9)\n".encode()
    )


def test_an_error_without_a_code_is_an_unknown_one() -> None:
    assert from_engine(RuntimeError("something odd")).code == 1002


def test_bytes_of_a_bad_row_are_shown_as_far_as_they_are_text() -> None:
    raw = b"Code: 27. DB::Exception: Cannot parse \xff. (CANNOT_PARSE)"
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        found = from_engine(error)

    assert found.code == 27
    assert "Cannot parse \N{REPLACEMENT CHARACTER}" in found.text


def test_our_own_refusals_look_the_same() -> None:
    assert refuse(ACCESS_DENIED, "Readers may only read").body("26.9") == (
        b"Code: 497. DB::Exception: Readers may only read. (ACCESS_DENIED) (version 26.9)\n"
    )
