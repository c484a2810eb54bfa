"""telemetry-loadtest plan and simulate: what so many devices need, and how they spread."""

from __future__ import annotations

import inspect
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from gateway.runtime import BAD_USAGE
from loadtest.capacity.inputs import BadInput, described, inputs_of
from loadtest.capacity.plan import NoRoom, plan
from loadtest.capacity.report import plan_tables

WIDTH = 100  # columns of a report; a pipe has no width of its own


def _fail(text: str) -> typer.Exit:
    typer.echo(f"telemetry-loadtest: {text}", err=True)
    return typer.Exit(BAD_USAGE)


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=WIDTH)


def plan_command(as_json: bool, **given: int | float) -> None:
    """Reckon what so many devices need, from measured costs: docs/SCALE.md explains it.

    Example: telemetry-loadtest plan --devices 100000000 --events-per-device-day 50
    """
    try:
        found = plan(inputs_of(given))
    except (BadInput, NoRoom) as error:
        raise _fail(str(error)) from None
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        _console().print(plan_tables(found))


def simulate_command(
    devices: Annotated[
        int, typer.Option(min=1_000, max=10_000_000_000, help="whose keys are hashed, every one")
    ] = 10_000_000,
    sigma: Annotated[
        float, typer.Option(min=0, max=3, help="of their activity, lognormal; 0: all the same")
    ] = 1.5,
    seed: Annotated[int, typer.Option(min=0, help="the same seed is the same devices")] = 7,
    out: Annotated[Path, typer.Option(help="folder that the plots are written to")] = Path(),
) -> None:
    """Simulate how devices spread over partitions, hot devices, and lost sinks and gateways.

    About five minutes of one core for 1,000,000,000 devices; memory stays at some tens of MB.

    Example: telemetry-loadtest simulate --devices 1000000000 --out docs/images
    """
    if find_spec("numpy") is None:
        raise _fail("the package numpy is missing; install the extra: loadtest")
    from loadtest.capacity.simulate import Simulated, run_simulation  # needs numpy

    if not out.is_dir():
        raise _fail(f"--out: {out} is no folder")
    console = _console()
    simulated: Simulated = run_simulation(devices, sigma, seed, console)
    for table in simulated.tables:
        console.print(table)
    for name, document in simulated.plots.items():
        path = out / f"{name}.svg"
        try:
            path.write_text(document, encoding="utf-8")
        except OSError as error:
            raise _fail(f"--out: {error}") from None
        console.print(f"written: {path}", style="dim", highlight=False)


def _signature() -> inspect.Signature:
    """An option for each input, so that all of them are named in one place."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    whether = Annotated[bool, typer.Option("--json", help="print it as JSON, inputs included")]
    options = [inspect.Parameter("as_json", keyword, default=False, annotation=whether)]
    for one in described():
        option = typer.Option(one.option, help=f"{one.meaning} ({one.bounds})")
        kind: Any = Annotated[type(one.default), option]
        options.append(inspect.Parameter(one.field, keyword, default=one.default, annotation=kind))
    return inspect.Signature(options)


def _annotated() -> None:
    signature = _signature()
    annotations = {name: one.annotation for name, one in signature.parameters.items()}
    plan_command.__annotations__ = annotations
    plan_command.__signature__ = signature  # type: ignore[attr-defined]  # what typer reads


_annotated()
