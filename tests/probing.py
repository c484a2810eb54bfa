"""What a sink program tells on its metrics port."""

from __future__ import annotations

import json
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families


class Probe:
    """Asks the port of one process."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> tuple[int, str]:
        """Status 0: nobody is there."""
        try:
            with urlopen(self._url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except (URLError, OSError):
            return 0, ""

    def lacks(self) -> list[str] | None:
        """The codes of `/readyz`, which go with its status; None: nobody is there."""
        status, text = self.get("/readyz")
        if not status:
            return None
        told = json.loads(text)
        codes = [str(one["code"]) for one in told.get("reasons", ())]
        assert (status, told["ready"]) == ((503, False) if codes else (200, True))
        return codes

    def values(self, name: str, label: str) -> dict[str, float]:
        """A metric's samples by a label."""
        _, text = self.get("/metrics")
        samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
        return {one.labels[label]: one.value for one in samples if one.name == name}
