"""The `tunescale` command: what needs no pytest. A file a command."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tunescale_core.cli import advise, data, estimate, findings, gate, latency, pretrain, report, rows, score, store
from tunescale_core.harmless import harmless

FAULT = 70
"""Exit code of a fault of our own (EX_SOFTWARE)."""


class Commands(TyperGroup):
    """Commands of which none ends in a traceback, unless one is asked for."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run a command; a fault of our own ends in one line too."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            # What the command line refuses, and our own lines, carry the exit code that they end with; who reads no
            # further (`| head`) has what they wanted, and Typer ends without a word.
            if ctx.params.get("tb") or isinstance(error, typer.Abort | BrokenPipeError) or hasattr(error, "exit_code"):
                raise
            said = harmless(" ".join(str(error).split()))[:300]
            typer.echo(f"tunescale: a fault of its own, {type(error).__name__}: {said} (--tb shows where)", err=True)
            raise typer.Exit(FAULT) from error


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main(
    tb: Annotated[bool, typer.Option("--tb", help="Show where a fault of TuneScale's own comes from.")] = False,  # noqa: FBT002
) -> None:
    """Tune the small model, or scale to the larger one? The study itself runs with: pytest benchmarks."""


for command in (
    score.score,
    pretrain.pretrain,
    report.report,
    findings.findings,
    advise.advise,
    latency.latency,
    estimate.estimate,
    data.data,
    rows.rows,
    gate.gate,
):
    app.command()(command)
app.add_typer(store.app, name="store")
