"""The Dockerfile as a list of instructions: what an image built from it would be."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

from tests.deploy import compose
from tests.deploy.container import UID

IGNORED = (compose.ROOT / ".dockerignore").read_text().splitlines()


def instructions() -> list[tuple[str, str]]:
    with compose.DOCKERFILE.open("rb") as file:
        parsed = DockerfileParser(fileobj=file).structure
    return [(one["instruction"], one["value"]) for one in parsed if one["instruction"] != "COMMENT"]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def values(name: str) -> list[str]:
    """Of the instructions with that name in the last stage."""
    return [value for one, value in last_stage() if one == name]


def test_the_base_is_pinned_and_slim() -> None:
    with compose.DOCKERFILE.open("rb") as file:
        bases = set(DockerfileParser(fileobj=file).parent_images)

    (base,) = bases
    name, _, tag = base.partition(":")
    assert name == "python"
    assert tag.startswith("3.")
    assert "slim-" in tag


def test_two_stages_and_only_what_was_installed_goes_over() -> None:
    stages = [value for name, value in instructions() if name == "FROM"]

    assert len(stages) == 2
    assert values("COPY") == ["--from=build /opt/telemetry /opt/telemetry"]


def test_nobody_is_root() -> None:
    assert values("USER") == [f"{UID}:{UID}"]


def test_programs_are_started_without_a_shell() -> None:
    (command,) = values("CMD")
    (check,) = values("HEALTHCHECK")

    assert json.loads(command) == ["telemetry-gateway", "serve"]
    options, _, asked = check.partition("CMD ")
    assert "--interval=" in options
    assert json.loads(asked)[:3] == ["python", "-m", "infra.health"]
    assert values("ENTRYPOINT") == []


def test_the_signal_is_the_one_that_drains() -> None:
    assert values("STOPSIGNAL") == ["SIGTERM"]


def test_what_is_installed_is_locked() -> None:
    installs = [
        json.loads(value) for name, value in instructions() if name == "RUN" and "pip" in value
    ]
    (locked,) = [one for one in installs if "--requirement" in one]
    (built,) = [one for one in installs if "wheel" in one]

    assert "--require-hashes" in locked
    assert locked[-1] == "requirements/server.txt"
    assert "requirements/dev.txt" in built
    assert all("--no-deps" in one for one in installs if one is not locked)


def test_nothing_is_fetched_and_no_secret_is_built_in() -> None:
    names = {name for name, _ in instructions()}
    arguments = [value for name, value in instructions() if name == "ARG"]

    assert "ADD" not in names
    assert [one.partition("=")[0] for one in arguments] == ["PYTHON_IMAGE"]


def test_what_is_copied_is_there_and_sent() -> None:
    for name, value in instructions():
        if name != "COPY" or value.startswith("--from"):
            continue
        *sources, _ = shlex.split(value)
        for source in sources:
            assert (compose.ROOT / source).exists(), source
            assert f"!{Path(source).parts[0]}" in IGNORED, source


def test_the_context_has_nothing_else() -> None:
    assert IGNORED[1] == "*"


def test_every_volume_of_ours_belongs_to_our_user() -> None:
    (made,) = [value for value in values("RUN") if value.startswith("install ")]
    line = shlex.split(made)
    folders = {one for one in line if one.startswith("/")}

    assert {f"--owner={UID}", f"--group={UID}", "--directory"} <= set(line)
    for name, service in compose.ours().items():
        for source, target, _ in compose.mounts(service):
            if not source.startswith("."):
                assert target in folders, (name, target)


@pytest.mark.parametrize("variable", ["TELEMETRY_GATEWAY_HOST", "TELEMETRY_CONSOLE_HOST"])
def test_a_container_listens_to_other_hosts(variable: str) -> None:
    assert compose.image_environment()[variable] == "0.0.0.0"  # noqa: S104
