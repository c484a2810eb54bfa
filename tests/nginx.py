"""The distribution's nginx with our sample configuration, its names replaced by the test's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from infra.local.ports import free_ports
from tests.authority import Authority
from tests.kafka import wait_until
from tests.raw_http import connect

SAMPLE = Path(__file__).parents[1] / "infra" / "nginx" / "nginx.conf"


def needed() -> str:
    """The path of nginx. Without one the test is skipped, but fails in CI, which installs it."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        reason = "there is no nginx; apt-get install nginx"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class NginxUnderTest:
    """Balances over gateways on these ports."""

    def __init__(self, folder: Path, gateways: Sequence[int]) -> None:
        self.authority = Authority(folder / "ca")
        certificate, key = folder / "tls.crt", folder / "tls.key"
        self.authority.issue().write(certificate, key)
        (self.port,) = free_ports(1)
        config = folder / "nginx.conf"
        config.write_text(_with(SAMPLE.read_text(), folder, self.port, gateways, certificate, key))
        user = " user root;" if os.geteuid() == 0 else ""  # its own could not read our folder
        command = [needed(), "-p", str(folder), "-c", str(config), "-g", f"daemon off;{user}"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_until(self._listens, what="nginx")

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def _listens(self) -> bool:
        assert self._process.poll() is None, "nginx has ended"
        try:
            connect(self.port).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def _with(
    text: str, folder: Path, port: int, gateways: Sequence[int], certificate: Path, key: Path
) -> str:
    servers = "".join(f"server 127.0.0.1:{one} max_fails=1 fail_timeout=2s;\n" for one in gateways)
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    for pattern, new in (
        (r"worker_processes auto;", f"worker_processes 1;\npid {folder / 'nginx.pid'};"),
        (r"worker_rlimit_nofile \d+;", ""),
        (r"worker_connections 16384", "worker_connections 256"),
        (r"access_log off;", f"access_log off;\n{temporary}"),
        (r"(\s*server gateway-\d:8080[^;]*;)+", "\n" + servers),
        (r"listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        (r"/etc/nginx/tls/tls\.crt", str(certificate)),
        (r"/etc/nginx/tls/tls\.key", str(key)),
    ):
        text, times = re.subn(pattern, new, text)
        assert times == 1, pattern
    return text
