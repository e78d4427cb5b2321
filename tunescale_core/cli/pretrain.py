"""`tunescale pretrain`: a member of the embedded family, made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunescale_core.cli.sources import fail
from tunescale_core.tasks import PAPERS


def pretrain(
    name: Annotated[str, typer.Argument(help="Model: mini-small or mini-large.")],
    out: Annotated[Path, typer.Option(help="Folder to write the checkpoint to.")],
    threads: Annotated[int, typer.Option(help="CPU threads; the shipped weights were made with one.")] = 1,
) -> None:
    """Train an embedded model again by its recipe: same seed, same data."""
    from tunescale_core.embedded.recipe import RECIPES

    if name not in RECIPES:
        fail(f"no embedded model {name!r}; known are {', '.join(RECIPES)}")
    import torch

    from tunescale_core.embedded.card import write_card
    from tunescale_core.embedded.recipe import pretrain as run
    from tunescale_core.embedded.recipe import save

    torch.set_num_threads(threads)
    systems = tuple(task.system for task in PAPERS)
    model, tokenizer, history = run(
        RECIPES[name], systems, lambda step, total, loss: typer.echo(f"step {step}/{total} loss {loss:.4f}")
    )
    save(model, tokenizer, out)
    write_card(out, name, RECIPES[name], history, model.num_parameters())
