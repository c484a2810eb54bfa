"""A service of compose.yaml without a container engine: bubblewrap gives it a root of its own.

Nothing of it can be written to but the service's volumes and /tmp, it runs as the image's user, and
its environment is the image's and the file's, nothing else.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.deploy import compose
from tests.deploy.compose import FOLDER, ROOT, Service

UID = 10001
SYSTEM = ("/usr", "/etc/ssl", "/etc/hosts")
LINKS = {"/bin": "usr/bin", "/lib": "usr/lib", "/lib64": "usr/lib64", "/sbin": "usr/sbin"}


class Containers:
    """Makes containers of compose's services, with their volumes below `folder`."""

    def __init__(self, folder: Path, addresses: Mapping[str, str]) -> None:
        self._volumes = folder / "volumes"
        self._logs = folder / "logs"
        self._addresses = addresses  # as compose.yaml says them, and as they are here
        self._logs.mkdir(parents=True)

    def volume(self, name: str) -> Path:
        """The folder of a volume; a new one belongs to the image's user."""
        path = self._volumes / name
        if not path.exists():
            path.mkdir(parents=True)
            subprocess.run(["chown", f"{UID}:{UID}", path], check=True)
        return path

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def start(self, name: str, service: Service) -> Container:
        """The service's own command."""
        return Container(self._command(service, service["command"]), self.log(name))

    def run(self, name: str, service: Service, command: Sequence[str] = ()) -> int:
        """The exit code of a command in a container of the service; by default of its own."""
        with self.log(name).open("ab") as log:
            done = subprocess.run(
                self._command(service, command or service["command"]),
                stdout=log, stderr=log, timeout=60, check=False,
            )  # fmt: skip
        return done.returncode

    def healthy(self, name: str, service: Service) -> bool:
        """Whether the service's own health check says so."""
        kind, *command = service["healthcheck"]["test"]
        assert kind == "CMD", "our image is asked without a shell"
        return self.run(f"{name}.health", service, command) == 0

    def _environment(self, service: Service) -> dict[str, str]:
        said = {**compose.image_environment(), **service.get("environment", {})}
        for theirs, here in self._addresses.items():
            said = {key: value.replace(theirs, here) for key, value in said.items()}
        # Where the image has the programs, and where they are installed here.
        said["PATH"] = f"{Path(sys.prefix) / 'bin'}:/usr/bin"
        return {**said, "PYTHONPATH": str(ROOT)}

    def _command(self, service: Service, command: Sequence[str]) -> list[str]:
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        line = ["bwrap", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--clearenv"]
        for name, value in self._environment(service).items():
            line += ["--setenv", name, value]
        for link, target in LINKS.items():
            line += ["--symlink", target, link]
        for path in (*SYSTEM, sys.base_prefix, sys.prefix, str(ROOT)):
            line += [*_parents(path), "--ro-bind", path, path]
        line += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108
        for source, target, is_read_only in compose.mounts(service):
            here = FOLDER / source if source.startswith(".") else self.volume(source)
            bind = "--ro-bind" if is_read_only else "--bind"
            line += [*_parents(target), bind, str(here), target]
        line += ["--remount-ro", "/", "--chdir", "/"]
        user = ["--reuid", str(UID), "--regid", str(UID), "--clear-groups"]
        return [*line, "setpriv", *user, "--no-new-privs", "--bounding-set=-all", *command]


def _parents(path: str) -> list[str]:
    """Folders above a mount, which everybody may pass; bubblewrap's own would be root's alone."""
    line: list[str] = []
    for one in reversed(Path(path).parents[:-1]):
        line += ["--dir", str(one)]
    return line


class Container:
    """One running container; its program is a process below bubblewrap's."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        with log.open("ab") as output:
            self._engine = subprocess.Popen(command, stdout=output, stderr=output)

    def exit_code(self) -> int | None:
        return self._engine.poll()

    def program(self) -> psutil.Process:
        """The program itself, as the first process of the container."""
        return psutil.Process(self._engine.pid).children()[0].children()[0]

    def stop(self, seconds: float) -> int:
        """SIGTERM to the program; its exit code. Raises TimeoutExpired after its grace."""
        self.program().terminate()
        return self._engine.wait(seconds)
