"""infra/compose/compose.yaml and the Dockerfile, as far as the tests ask them."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra" / "compose"
DOCKERFILE = ROOT / "Dockerfile"
IMAGE = "telemetry-gateway:local"

Service = dict[str, Any]


def services(text: str | None = None) -> dict[str, Service]:
    """Every service of the compose file; what `${NAME:-value}` says is its value."""
    text = text if text is not None else (FOLDER / "compose.yaml").read_text(encoding="utf-8")
    filled = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    return dict(yaml.safe_load(filled)["services"])


def ours() -> dict[str, Service]:
    """The services that run our image."""
    return {name: one for name, one in services().items() if one["image"] == IMAGE}


def is_once(service: Service) -> bool:
    return bool(service["restart"] == "no")


def start_order(wanted: dict[str, Service]) -> list[list[str]]:
    """`wanted` as compose starts them: each after what it depends on, the others at once."""
    graph = {name: set(one.get("depends_on", {})) & set(wanted) for name, one in wanted.items()}
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    batches = []
    while sorter.is_active():
        batches.append(sorted(sorter.get_ready()))
        sorter.done(*batches[-1])
    return batches


def image_environment() -> dict[str, str]:
    """What the image's last stage sets."""
    with DOCKERFILE.open("rb") as file:
        return dict(DockerfileParser(fileobj=file).envs)


def seconds(duration: str) -> float:
    """`40s` as compose writes it."""
    found = re.fullmatch(r"(\d+)s", duration)
    assert found, f"{duration!r} is no number of seconds"
    return float(found[1])


def mounts(service: Service) -> list[tuple[str, str, bool]]:
    """Source, target and whether it is read-only; a source that is no path is a volume."""
    found = []
    for text in service.get("volumes", []):
        source, target, *mode = text.split(":")
        found.append((source, target, mode == ["ro"]))
    return found


def memory(text: str) -> int:
    """`512m` in bytes."""
    return int(text[:-1]) * {"m": 1024**2, "g": 1024**3}[text[-1]]
