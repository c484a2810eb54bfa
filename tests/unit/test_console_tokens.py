"""A token that was made elsewhere, taken over by its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinks.console.tokens import ALL_APPS, TokenError, TokenStore

AT = "2026-11-26T00:00:00Z"
GIVEN = "0123456789abcdef"


def test_a_given_token_is_taken_over(tmp_path: Path) -> None:
    store = TokenStore(tmp_path / "tokens.json")

    assert store.add("shop", AT, GIVEN) == GIVEN
    store.known()
    assert store.app_of(GIVEN) == "shop"
    assert GIVEN not in store.path.read_text()


def test_given_again_it_changes_nothing(tmp_path: Path) -> None:
    store = TokenStore(tmp_path / "tokens.json")
    store.add(ALL_APPS, AT, GIVEN)
    before = store.path.read_bytes()

    store.add(ALL_APPS, "2026-11-27T00:00:00Z", GIVEN)

    assert store.path.read_bytes() == before


def test_a_token_shows_one_app(tmp_path: Path) -> None:
    store = TokenStore(tmp_path / "tokens.json")
    store.add(ALL_APPS, AT, GIVEN)

    with pytest.raises(TokenError, match="already shows all apps"):
        store.add("shop", AT, GIVEN)


@pytest.mark.parametrize("token", ["short", "x" * 129])
def test_a_token_has_a_length(tmp_path: Path, token: str) -> None:
    store = TokenStore(tmp_path / "tokens.json")

    with pytest.raises(TokenError, match="16 to 128 characters"):
        store.add("shop", AT, token)
