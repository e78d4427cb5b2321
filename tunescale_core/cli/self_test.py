"""`tunescale gate --self-test`: what this machine's noise does to timing gates."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from tabulate import tabulate

from tunescale_core.cli.sources import one_line_errors
from tunescale_core.plain_json import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunescale_core.gates.selftest import Assessed, Run
    from tunescale_core.stats.interval import Interval


def self_test(blocks: int, minutes: float, *, as_json: bool) -> None:
    """Hold runs of the unchanged embedded models against each other: false alarms, and slow-downs caught.

    Args:
        blocks: Processes a pace is measured in.
        minutes: How long to measure; three runs at least.
        as_json: Whether to print JSON instead of a table.
    """
    from tunescale_core.gates.selftest import assess, record
    from tunescale_core.progress import Progress

    with one_line_errors():
        runs = record(minutes, blocks, Progress(sys.stderr))
    found = assess(runs)
    typer.echo(dumps(as_object(found, runs, blocks)) if as_json else as_text(found, runs, blocks))


def as_object(found: Sequence[Assessed], runs: Sequence[Run], blocks: int) -> dict[str, object]:
    """Return what a self-test found, for JSON."""
    return {"runs": len(runs), "blocks": blocks, "pairs": [asdict(one) for one in found]}


def as_text(found: Sequence[Assessed], runs: Sequence[Run], blocks: int) -> str:
    """Return what a self-test found as a table, with a line on what it rests on."""
    from tunescale_core.gates.pace import LEVEL
    from tunescale_core.study.margins import DEFAULTS

    slower = [share for share in found[0].caught if share]
    heads = ["pace of", "beside", "a block's SD", "false alarms", *(f"+{share:.0%} caught" for share in slower)]
    rows = [
        [one.subject, one.reference, f"{one.spread:.1%}", *map(_share, one.caught.values()), f"{one.needed:.1%}"]
        for one in found
    ]
    table = tabulate(rows, [*heads, "margin needed"], disable_numparse=True)
    margin = DEFAULTS["pace"].shown("lower")
    return (
        f"{table}\n({len(runs)} runs of {blocks} blocks; margin {margin}, one-sided level {LEVEL:.0%}, alarms "
        "confirmed by a third run;\n"
        " intervals of 95 % count only comparisons that share no run: more --minutes narrow them)"
    )


def _share(share: Interval) -> str:
    return f"{share.value:.1%} ({share.low:.0%}–{share.high:.0%})"
