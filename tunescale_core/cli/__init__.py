"""The `tunescale` command: what needs no pytest. A file a command."""

from __future__ import annotations

import typer

from tunescale_core.cli import advise, estimate, findings, gate, latency, pretrain, report, rows, score, store

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Tune the small model, or scale to the larger one? The study itself runs with: pytest benchmarks."""


for command in (
    score.score,
    pretrain.pretrain,
    report.report,
    findings.findings,
    advise.advise,
    latency.latency,
    estimate.estimate,
    rows.rows,
    gate.gate,
):
    app.command()(command)
app.add_typer(store.app, name="store")
