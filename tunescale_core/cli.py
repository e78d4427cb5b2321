"""The `tunescale` command: what needs no pytest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from tabulate import tabulate

from tunescale_core.errors import TuneScaleError
from tunescale_core.tasks import TASKS

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
USAGE = 4
"""Exit code of what cannot be started as asked, as pytest's."""


@app.callback()
def main() -> None:
    """Tune the small model, or scale to the larger one? The study itself runs with: pytest benchmarks."""


@app.command()
def score(
    task: Annotated[str, typer.Argument(help=f"One of {', '.join(TASKS)}.")],
    data: Annotated[Path, typer.Option(help="JSON, JSONL, CSV or Parquet in the data set's own columns.")],
    predictions: Annotated[Path, typer.Option(help="JSON: example id to text, as SQuAD lays it out.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,  # noqa: FBT002
) -> None:
    """Score a file of answers with the code that scores completions."""
    from tunescale_core.scoring import score_file

    if task not in TASKS:
        _fail(f"no task {task!r}; known are {', '.join(TASKS)}")
    try:
        figures = score_file(TASKS[task], data, predictions)
    except TuneScaleError as error:
        _fail(str(error))
    typer.echo(json.dumps(figures, indent=1) if as_json else tabulate(list(figures.items()), floatfmt=".4f"))


@app.command()
def pretrain(
    name: Annotated[str, typer.Argument(help="mini-small or mini-large.")],
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint.")],
    threads: Annotated[int, typer.Option(help="CPU threads; the shipped weights were made with one.")] = 1,
) -> None:
    """Make a member of the embedded family again: same seed, same data."""
    from tunescale_core.embedded.recipe import RECIPES

    if name not in RECIPES:
        _fail(f"no embedded model {name!r}; known are {', '.join(RECIPES)}")
    import torch

    from tunescale_core.embedded.card import write_card
    from tunescale_core.embedded.recipe import pretrain as run
    from tunescale_core.embedded.recipe import save

    torch.set_num_threads(threads)
    systems = tuple(task.system for task in TASKS.values())
    model, tokenizer, history = run(
        RECIPES[name], systems, lambda step, total, loss: typer.echo(f"step {step}/{total} loss {loss:.4f}")
    )
    save(model, tokenizer, out)
    write_card(out, name, RECIPES[name], history, model.num_parameters())


def _fail(message: str) -> NoReturn:
    typer.echo(f"tunescale: {message}", err=True)
    raise typer.Exit(USAGE)
