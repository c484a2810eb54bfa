"""Tokens: who may see which app. Only their SHA-256 is stored; a change works at once.

The file is replaced as a whole, so a reader sees the old one or the new one.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from gateway.contract.whole_file import Stamp, locked, replace, stamp_of

ALL_APPS = ""  # an operator's
MIN_TOKEN_LENGTH, MAX_TOKEN_LENGTH = 16, 128


class TokenError(Exception):
    """A token or an app name that cannot be taken, or a broken file. The text says why."""


class Token(Struct, frozen=True, kw_only=True):
    """One token. `id` names it to people: the first characters of its hash."""

    sha256: str
    app: str  # empty: all of them
    created_at: str

    @property
    def id(self) -> str:
        return self.sha256[:12]


class _TokenFile(Struct, frozen=True):
    tokens: list[Token] = []


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class TokenStore:
    """The token file: for the `tokens` commands, and read again by the console when it changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: Stamp | None = None
        self._known: list[Token] = []

    def load(self) -> list[Token]:
        """All tokens; none when there is no file yet. Raises TokenError on a broken file."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_TokenFile).tokens
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            raise TokenError(f"cannot read {self.path}: {error}") from None

    def add(self, app: str, created_at: str, given: str | None = None) -> str:
        """Make a token for `app`, or for all apps, and return it: it is not kept.

        `given` is taken over as it is; the same one again changes nothing, for another app it is
        an error.
        """
        if app != ALL_APPS and not (
            len(app) <= 64 and all(char.isalnum() or char in "._-" for char in app)
        ):
            raise TokenError("an app name has 1 to 64 letters, digits, dots, dashes, underscores")
        token = secrets.token_urlsafe(24) if given is None else given
        if not MIN_TOKEN_LENGTH <= len(token) <= MAX_TOKEN_LENGTH:
            raise TokenError(f"a token has {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH} characters")
        entry = Token(sha256=_digest(token), app=app, created_at=created_at)
        with locked(self.path):
            tokens = self.load()
            for known in tokens:
                if known.sha256 == entry.sha256:
                    if known.app != app:
                        raise TokenError(f"this token already shows {known.app or 'all apps'}")
                    return token
            self._save([*tokens, entry])
        return token

    def revoke(self, token_or_id: str) -> Token:
        """Take a token away, named by itself or by its id."""
        hashed = _digest(token_or_id)
        with locked(self.path):
            tokens = self.load()
            found = [one for one in tokens if one.sha256 == hashed or one.id == token_or_id]
            if len(found) != 1:
                raise TokenError("no such token; `telemetry-sink tokens list` shows the ids")
            self._save([one for one in tokens if one is not found[0]])
        return found[0]

    def known(self) -> list[Token]:
        """All tokens, read again only if the file changed. Raises TokenError, keeping what was."""
        stamp = stamp_of(self.path)
        if stamp != self._stamp:
            self._known = self.load()
            self._stamp = stamp
        return self._known

    def app_of(self, token: str) -> str | None:
        """The token's app; None when nobody knows it. All hashes are compared, each in full."""
        hashed = _digest(token[: MAX_TOKEN_LENGTH + 1])
        app = None
        for one in self._known:
            if hmac.compare_digest(one.sha256, hashed):
                app = one.app
        return app

    def _save(self, tokens: list[Token]) -> None:
        replace(self.path, msgspec.json.format(msgspec.json.encode(_TokenFile(tokens))))
