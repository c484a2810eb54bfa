"""The lock files as data: which versions of which packages, and the hashes of their files."""

from __future__ import annotations

import tomllib
from pathlib import Path

from msgspec import Struct
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ({"sys_platform": "linux"}, {"sys_platform": "darwin"})


class Pin(Struct, frozen=True):
    """One package of a lock. `marker` is empty where it is always wanted."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def is_for(self, environment: dict[str, str]) -> bool:
        return not self.marker or Marker(self.marker).evaluate(environment)


def read(name: str) -> list[Pin]:
    """The pins of `requirements/NAME.txt`."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    lines = text.replace("\\\n", " ").splitlines()
    return [_pin(line) for line in lines if line and not line.startswith("#")]


def _pin(line: str) -> Pin:
    said, *hashes = line.split(" --hash=")
    requirement = Requirement(said.strip())
    (version,) = requirement.specifier
    assert version.operator == "=="
    return Pin(
        canonicalize_name(requirement.name),
        version.version,
        str(requirement.marker or ""),
        tuple(one.strip() for one in hashes),
    )


def wanted(extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> list[Requirement]:
    """What pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    texts = list(project["project"]["dependencies"])
    for extra in extras:
        texts += project["project"]["optional-dependencies"][extra]
    for group in groups:
        texts += _group(project["dependency-groups"], group)
    return [Requirement(text) for text in texts]


def _group(groups: dict[str, list[str | dict[str, str]]], name: str) -> list[str]:
    texts: list[str] = []
    for one in groups[name]:
        texts += [one] if isinstance(one, str) else _group(groups, one["include-group"])
    return texts


def environments() -> list[dict[str, str]]:
    """Those that one lock has to serve."""
    return [
        {"python_version": python, "python_full_version": f"{python}.0", **platform}
        for python in PYTHONS
        for platform in PLATFORMS
    ]
