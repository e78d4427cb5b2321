"""`tunescale store`: what is kept, whether it is whole, and what of it may go."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tabulate import tabulate

from tunescale_core.cli.sources import fail, one_line_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunescale_core.upkeep.inventory import Entry
    from tunescale_core.upkeep.pruning import Doomed

DAMAGE = 1
"""Exit code where something is damaged, or could not be done."""
Folder = Annotated[Path, typer.Option("--store", help="The store's folder.")]
DEFAULT = Path(".tunescale")
app = typer.Typer(no_args_is_help=True, help="Checkpoints and records on disk: ls, verify, prune, migrate.")


@app.command("ls")
def ls(
    store: Folder = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,  # noqa: FBT002
) -> None:
    """List the checkpoints: size, age, training time, and how many records were measured on each."""
    from tunescale_core.upkeep.inventory import listed, opened

    with one_line_errors():
        found = listed(opened(store))
    typer.echo(json.dumps([_object(one) for one in found], indent=1) if as_json else _table(found))


@app.command("verify")
def verify(store: Folder = DEFAULT) -> None:
    """Check every checkpoint, record, search and saved state against its hashes; a line per fault, and exit code 1."""
    from tunescale_core.upkeep.inventory import opened
    from tunescale_core.upkeep.verifying import verified

    with one_line_errors():
        told = [fault for _, fault in verified(opened(store))]
    wrong = [fault for fault in told if fault is not None]
    for fault in wrong:
        typer.echo(fault)
    right = f"{len(told) - len(wrong)} of {len(told)}"
    typer.echo(f"{right} are as they were written: checkpoints, records, searches, saved states")
    if wrong:
        raise typer.Exit(DAMAGE)


@app.command("prune")
def prune(
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="Shell pattern of variants to keep; may be repeated. All others are deleted."),
    ] = None,
    stale: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--stale", help="Delete what this version cannot read, and damaged files that were set aside."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted, and delete nothing.")] = False,  # noqa: FBT002
    store: Folder = DEFAULT,
) -> None:
    """Delete checkpoints except those to --keep, or what is --stale, or both."""
    from tunescale_core.upkeep.inventory import opened
    from tunescale_core.upkeep.pruning import doomed
    from tunescale_core.upkeep.pruning import prune as delete

    if keep is None and not stale:
        fail("give --keep PATTERN, or --stale: nothing is deleted unasked")
    with one_line_errors():
        found = opened(store)
        which = doomed(found, keep, stale=stale)
        busy: tuple[Doomed, ...] = ()
        if dry_run:
            for one in which:
                _tell(one, "would delete")
        else:
            busy = delete(found, which, lambda one: _tell(one, "deleted"))
    for one in busy:
        _tell(one, "in use, kept")
    done = [one for one in which if one not in busy]
    said = "would free" if dry_run else "freed"
    typer.echo(f"{len(done)} {'thing' if len(done) == 1 else 'things'}, {said} {sum(one.size for one in done):,} bytes")
    if busy:
        raise typer.Exit(DAMAGE)


@app.command("migrate")
def migrate(store: Folder = DEFAULT) -> None:
    """Bring an earlier version's checkpoints up to date without training, after checking their weights."""
    from tunescale_core.errors import StoreError
    from tunescale_core.upkeep.inventory import listed, opened
    from tunescale_core.upkeep.migrating import migrate as bring

    failed = 0
    with one_line_errors():
        found = opened(store)
        for one in listed(found):
            if one.state != "stale":
                continue
            try:
                done = bring(found, one.path)
            except StoreError as error:
                done, failed = False, failed + 1
                typer.echo(str(error))
            else:
                typer.echo(f"migrated {one.path} ({one.variant})" if done else str(one.fault))
                failed += not done
    if failed:
        raise typer.Exit(DAMAGE)


def _tell(one: Doomed, said: str) -> None:
    typer.echo(f"{said} {one.path} ({one.what}), {one.size:,} bytes")


def _object(one: Entry) -> dict[str, object]:
    return asdict(one) | {"path": str(one.path)}


def _table(found: Sequence[Entry]) -> str:
    rows = [
        [
            one.variant or "–",
            one.path.name,
            f"{one.size:,}",
            one.created or "–",
            "–" if one.seconds is None else f"{one.seconds:.1f}",
            str(len(one.cells)),
            one.state,
        ]
        for one in found
    ]
    heads = ["variant", "folder", "bytes", "created", "training s", "cells", "state"]
    aligned = ("left", "left", "right", "left", "right", "right", "left")
    table = tabulate(rows, heads, disable_numparse=True, colalign=aligned if rows else None)
    return f"{table}\n({len(found)} in all, {sum(one.size for one in found):,} bytes)"
