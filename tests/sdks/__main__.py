"""`python -m tests.sdks table` runs every SDK and writes what came of it into docs/SDKS.md."""

from __future__ import annotations

import logging
import tempfile
from contextlib import ExitStack
from pathlib import Path

import typer

from gateway.runtime import BAD_USAGE
from infra.provision import ProvisionOptions
from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import KafkaUnderTest, provision_topics
from tests.sdks import node_packages
from tests.sdks.cases import Case
from tests.sdks.catalog import SDKS
from tests.sdks.judge import Outcome
from tests.sdks.rig import SdkRig
from tests.sdks.run import Plan
from tests.sdks.table import between_markers, table_of

PAGE = Path(__file__).parents[2] / "docs" / "SDKS.md"

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Real SDKs against a gateway, Kafka, sink and ClickHouse of their own."""


@app.command()
def table() -> None:
    """Run every SDK through every case; write the table of docs/SDKS.md."""
    logging.disable(logging.CRITICAL)  # of a Kafka client that knocks until the broker is up
    if not node_packages.can_run():
        typer.echo(node_packages.NEEDS, err=True)
        raise typer.Exit(BAD_USAGE)
    node_packages.install()
    with tempfile.TemporaryDirectory(prefix="sdks-") as folder:
        outcomes = _run(Path(folder))
    found = {(one.run.sdk.name, one.run.case): one for one in outcomes}
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(between_markers(page, table_of(SDKS, found)), encoding="utf-8")
    typer.echo(f"docs/SDKS.md: {len(outcomes)} runs of {len(SDKS)} SDKs")


def _run(folder: Path) -> list[Outcome]:
    (folder / "kafka").mkdir()
    with ExitStack() as running:
        kafka = KafkaUnderTest(folder / "kafka")
        kafka.start()
        running.callback(kafka.stop)
        provision_topics(ProvisionOptions(bootstrap=kafka.bootstrap, replication_factor=1))
        clickhouse = ClickHouseUnderTest(folder / "clickhouse")
        clickhouse.start()
        running.callback(clickhouse.stop)
        clickhouse.migrate()
        rig = SdkRig(kafka, clickhouse, folder)
        running.callback(rig.close)
        return rig.outcomes([Plan(sdk, case) for sdk in SDKS for case in Case])


if __name__ == "__main__":
    app()
