"""Write keys: kept as hashes, changed while the gateway runs."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.edge.keys import KeyRing, KeyStore, KeyStoreError

NOW = "2026-11-24T05:20:00Z"


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path)


class TestStore:
    def test_the_file_holds_hashes_and_nobody_else_may_read_it(self, store: KeyStore) -> None:
        store.add("shop", "the-key", NOW)

        text = store.path.read_text()
        assert "the-key" not in text
        assert sha256(b"the-key").hexdigest() in text
        assert store.path.stat().st_mode & 0o077 == 0

    def test_the_same_key_for_the_same_app_again_changes_nothing(self, store: KeyStore) -> None:
        first = store.add("shop", "the-key", NOW)

        assert store.add("shop", "the-key", "2027-01-01T00:00:00Z") == first
        assert store.load() == [first]

    def test_a_key_of_another_app_is_refused(self, store: KeyStore) -> None:
        store.add("shop", "the-key", NOW)

        with pytest.raises(KeyStoreError, match="already belongs to app shop"):
            store.add("game", "the-key", NOW)

    @pytest.mark.parametrize("key", ["", "k" * 129, "with\nbreak", "schlüssel"])
    def test_a_key_that_no_header_could_carry_is_refused(self, store: KeyStore, key: str) -> None:
        with pytest.raises(KeyStoreError, match="1 to 128 printable"):
            store.add("shop", key, NOW)

    @pytest.mark.parametrize("key", ["k", "k" * 128, "8c0b2e:/+= ~"])
    def test_a_vendor_s_key_is_taken_over(self, store: KeyStore, key: str) -> None:
        store.add("com.example.shop", key, NOW)

        ring = KeyRing(store)
        ring.refresh()
        assert ring.app_of(key) == "com.example.shop"

    @pytest.mark.parametrize("app", ["", "a" * 65, "a b", "a/b", 'a"b'])
    def test_an_app_name_that_would_need_quoting_is_refused(
        self, store: KeyStore, app: str
    ) -> None:
        with pytest.raises(KeyStoreError, match="an app name has"):
            store.add(app, "the-key", NOW)

    def test_a_key_is_revoked_by_itself_or_by_its_id(self, store: KeyStore) -> None:
        one, two = store.add("shop", "one", NOW), store.add("shop", "two", NOW)

        assert store.revoke("one") == one
        assert store.revoke(two.id) == two
        assert store.load() == []
        with pytest.raises(KeyStoreError, match="no such key"):
            store.revoke("one")

    def test_writers_at_the_same_time_lose_no_key(self, store: KeyStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: store.add("shop", f"key-{number}", NOW), range(40)))

        assert len(store.load()) == 40


class TestRing:
    def test_a_change_is_seen_at_the_next_look(self, store: KeyStore) -> None:
        ring = KeyRing(store)
        assert ring.refresh() is False
        store.add("shop", "the-key", NOW)

        assert ring.refresh() is True
        assert ring.refresh() is False
        assert (ring.app_of("the-key"), ring.app_of("other")) == ("shop", None)
        store.revoke("the-key")
        ring.refresh()
        assert ring.app_of("the-key") is None

    def test_a_broken_file_leaves_the_known_keys(self, store: KeyStore) -> None:
        store.add("shop", "the-key", NOW)
        ring = KeyRing(store)
        ring.refresh()
        store.path.write_text("{")

        with pytest.raises(KeyStoreError, match="cannot read"):
            ring.refresh()

        assert ring.app_of("the-key") == "shop"

    def test_a_file_that_is_taken_away_takes_all_keys(self, store: KeyStore) -> None:
        store.add("shop", "the-key", NOW)
        ring = KeyRing(store)
        ring.refresh()
        store.path.unlink()

        ring.refresh()

        assert ring.app_of("the-key") is None


def keys(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", "keys", *arguments, "--data", str(tmp_path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class TestCommands:
    def test_a_made_key_is_shown_once_listed_by_id_and_revoked(self, tmp_path: Path) -> None:
        key = keys(tmp_path, "add", "com.example.shop").stdout.split()[-1]
        (entry,) = KeyStore(tmp_path).load()

        assert entry.sha256 == sha256(key.encode()).hexdigest()
        listed = keys(tmp_path, "list").stdout
        assert entry.id in listed
        assert key not in listed
        assert keys(tmp_path, "revoke", entry.id).returncode == 0
        assert KeyStore(tmp_path).load() == []

    @pytest.mark.parametrize("option", ["--key", "--key-file"])
    def test_a_key_taken_over_is_not_shown_again(self, tmp_path: Path, option: str) -> None:
        file = tmp_path / "key"
        file.write_text("vendor-key\n")

        done = keys(
            tmp_path, "add", "shop", option, "vendor-key" if option == "--key" else str(file)
        )

        (entry,) = KeyStore(tmp_path).load()
        assert entry.sha256 == sha256(b"vendor-key").hexdigest()
        assert done.stdout == f"app shop has the key {entry.id}\n"

    def test_what_is_wrong_is_one_line_and_exit_code_1(self, tmp_path: Path) -> None:
        done = keys(tmp_path, "revoke", "nothing")

        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines() == [
            "telemetry-gateway: no such key; `telemetry-gateway keys list` shows the ids"
        ]
