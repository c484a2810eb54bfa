"""The operator's files, read again when they change: keys, denied properties, certificate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from gateway.contract.pem import RenewedContext
from gateway.denied import Denied, DeniedError
from gateway.edge.keys import KeyRing, KeyStoreError
from gateway.metrics import Metrics

log = logging.getLogger(__name__)

REFRESH_SECONDS = 0.5


class Reloader:
    """A file that cannot be read changes nothing: what it said before stays in force."""

    def __init__(
        self, keys: KeyRing, denied: Denied, metrics: Metrics, tls: RenewedContext | None = None
    ) -> None:
        self._keys = keys
        self._denied = denied
        self._metrics = metrics
        self._tls = tls  # counts and tells its changes itself
        self._told: dict[str, str] = {}  # one trouble is one line

    def refresh(self) -> None:
        if self._read("keys", self._keys.refresh):
            log.info("write keys loaded: %d", len(self._keys))
            self._metrics.write_keys.set(len(self._keys))
        if self._read("denied", self._denied.refresh):
            log.info("denied properties loaded: %d", len(self._denied))
        if self._tls is not None:
            self._tls.renew()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            self.refresh()

    def _read(self, file: str, refresh: Callable[[], bool]) -> bool:
        try:
            changed = refresh()
            trouble = ""
        except (KeyStoreError, DeniedError) as error:
            changed, trouble = False, str(error)
        if trouble and trouble != self._told.get(file):
            log.warning("%s unchanged: %s", file, trouble)
        self._told[file] = trouble
        self._metrics.unreadable_files.labels(file).set(1 if trouble else 0)
        return changed
