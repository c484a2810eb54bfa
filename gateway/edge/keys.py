"""Write keys: which app a key belongs to. Only their SHA-256 is stored; a change works at once.

The key file is replaced as a whole, so a reader sees the old one or the new one, never a torn one.
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from gateway.contract.whole_file import Stamp, locked, replace, stamp_of

MAX_KEY_LENGTH = 128
KEY_FILE = Path("gateway") / "keys.json"  # below the data folder


class KeyStoreError(Exception):
    """A key or an app name that cannot be taken. The text says why."""


class KeyEntry(Struct, frozen=True, kw_only=True):
    """One key. `id` names it to people: the first characters of its hash."""

    sha256: str
    app: str
    created_at: str

    @property
    def id(self) -> str:
        return self.sha256[:12]


class _KeyFile(Struct, frozen=True):
    keys: list[KeyEntry] = []


def new_key() -> str:
    """Of letters and digits alone: Sentry's SDKs take nothing else in a DSN."""
    return secrets.token_hex(16)


def digest(key: str) -> str:
    return sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class KeyStore:
    """The key file of one data folder, for the `keys` commands."""

    def __init__(self, data: Path) -> None:
        self.path = data / KEY_FILE

    def load(self) -> list[KeyEntry]:
        """All keys; none when there is no file yet. Raises KeyStoreError on a broken file."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_KeyFile).keys
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            raise KeyStoreError(f"cannot read {self.path}: {error}") from None

    def add(self, app: str, key: str, created_at: str) -> KeyEntry:
        """Take `key` for `app`. The same pair again changes nothing; another app is an error."""
        _check(app, key)
        entry = KeyEntry(sha256=digest(key), app=app, created_at=created_at)
        with locked(self.path):
            entries = self.load()
            for known in entries:
                if known.sha256 == entry.sha256:
                    if known.app != app:
                        raise KeyStoreError(f"this key already belongs to app {known.app}")
                    return known
            self._save([*entries, entry])
        return entry

    def revoke(self, key_or_id: str) -> KeyEntry:
        """Take a key away, named by itself or by its id."""
        hashed = digest(key_or_id)
        with locked(self.path):
            entries = self.load()
            found = [one for one in entries if one.sha256 == hashed or one.id == key_or_id]
            if len(found) != 1:
                raise KeyStoreError("no such key; `telemetry-gateway keys list` shows the ids")
            self._save([one for one in entries if one is not found[0]])
        return found[0]

    def _save(self, entries: list[KeyEntry]) -> None:
        replace(self.path, msgspec.json.format(msgspec.json.encode(_KeyFile(entries))))


def _check(app: str, key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise KeyStoreError(f"a key has 1 to {MAX_KEY_LENGTH} printable ASCII characters")
    if not 1 <= len(app) <= 64 or not all(char.isalnum() or char in "._-" for char in app):
        raise KeyStoreError("an app name has 1 to 64 letters, digits, dots, dashes or underscores")


class KeyRing:
    """The keys as the ingest path asks them: app by key, reloaded when the file changes."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._stamp: Stamp | None = None
        self._apps: dict[bytes, str] = {}
        self._seen: dict[str, str] = {}  # keys that were right, until the file changes

    def app_of(self, key: str) -> str | None:
        """The key's app. Looked up by the key's hash, so timing tells nothing of the key; one that
        was right before is known by itself, which costs a tenth."""
        app = self._seen.get(key)
        if app is None:
            app = self._apps.get(sha256(key.encode("utf-8", "surrogateescape")).digest())
            if app is not None:
                self._seen[key] = app
        return app

    def refresh(self) -> bool:
        """Read the file again if it changed; True if so. Raises KeyStoreError, keeping what was."""
        stamp = stamp_of(self._store.path)
        if stamp == self._stamp:
            return False
        entries = self._store.load()
        self._apps = {bytes.fromhex(one.sha256): one.app for one in entries}
        self._seen.clear()
        self._stamp = stamp
        return True

    def __len__(self) -> int:
        return len(self._apps)
