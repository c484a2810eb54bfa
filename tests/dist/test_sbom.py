"""The list of parts: valid by CycloneDX's own schema, and every locked package is in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from tests.dist.locks import ROOT, read


def test_it_is_valid_and_complete(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    done = subprocess.run(
        [
            *("make", "--no-print-directory", "sbom-file"),
            *(f"BIN={Path(sys.executable).parent}", "LOCK=base", f"SBOM={file}"),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    text = file.read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    told = json.loads(text)
    assert told["metadata"]["component"]["name"] == "telemetry-gateway"
    parts = {(canonicalize_name(one["name"]), one["version"]) for one in told["components"]}
    assert parts == {(pin.name, pin.version) for pin in read("base")}
