"""`tunescale estimate`: what a study will take, before it is run."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tunescale_core.cli.sources import fail, one_line_errors, records_folder
from tunescale_core.errors import ResultsError
from tunescale_core.harmless import harmless
from tunescale_core.plain_json import dumps


def estimate(  # noqa: PLR0913, PLR0917  an option a figure
    study: Annotated[str, typer.Option(help="A study's name, or its TOML file.")] = "mini",
    device: Annotated[str, typer.Option(help="Device: h200, h100, a100, l40s, l4 or rtx4090.")] = "h100",
    bandwidth: Annotated[
        float | None, typer.Option(help="Memory bandwidth in bytes per second, instead of the device's.")
    ] = None,
    memory: Annotated[str | None, typer.Option(help="Memory, for example 24GiB, instead of the device's.")] = None,
    overhead: Annotated[float, typer.Option(help="Least seconds that launching the work of one token takes.")] = 0.0,
    prompt: Annotated[int, typer.Option(help="Prompt length in tokens.")] = 256,
    serving: Annotated[
        str, typer.Option(help="Quantised ways of serving to add to the study's own, for example 4bit,8bit.")
    ] = "",
    records: Annotated[
        Path | None, typer.Option(help="Records of a run, or a study's name, to show next to the estimates.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,  # noqa: FBT002
) -> None:
    """Estimate each variant's training memory, time per token, cache and disk space from the models' `config.json`."""
    from tunescale_core.advice.constraints import parse_memory
    from tunescale_core.estimate.costs import DEVICES, Device, estimates
    from tunescale_core.estimate.shown import estimate_table
    from tunescale_core.estimate.sizes import sizes_of
    from tunescale_core.results.recorded import from_folder
    from tunescale_core.study.loading import load
    from tunescale_core.tables.formats import as_json as as_tables
    from tunescale_core.tables.formats import terminal

    if device not in DEVICES:
        fail(f"no device {device!r}; known are {', '.join(DEVICES)}, or give --bandwidth and --memory")
    _check_figures(bandwidth, prompt, overhead)
    with one_line_errors():
        declared = load(study, {"serving": {name.strip(): {} for name in serving.split(",") if name}})
        sizes, unknown = sizes_of(declared)
        speed, size = DEVICES[device]
        against = Device(bandwidth or speed, parse_memory(memory) if memory else size, overhead)
        found = list(estimates(declared, sizes, against, prompt))
        measured = from_folder(records_folder(records)) if records else None
        if measured and not {one.variant for one in found} & {one.id for one in measured.candidates}:
            raise ResultsError(f"{records} holds none of study {declared.name}'s variants: give that study's records")
        named = f"{against.bandwidth / 1e9:,.0f} GB/s and {against.memory / 1e9:,.0f} GB"
        against_named = named if bandwidth or memory else f"{device}: {named}"
        table = estimate_table(found, measured, against_named, tuple(unknown.values()))
    if not as_json:  # the table's notes say what is not estimated
        typer.echo(terminal(table))
        return
    for reason in unknown.values():
        typer.echo(f"tunescale: not estimated: {harmless(reason)}", err=True)
    typer.echo(as_tables((table,)).rstrip() if measured else dumps([asdict(one) for one in found]))


def _check_figures(bandwidth: float | None, prompt: int, overhead: float) -> None:
    for name, figure in (("--bandwidth", bandwidth), ("--prompt", prompt)):
        if figure is not None and not 0 < figure < math.inf:
            fail(f"{name} must be more than 0, got {figure:g}")
    if not 0 <= overhead < math.inf:
        fail(f"--overhead must be 0 or more, got {overhead:g}")
