"""What a table says where others used the machine while answers were timed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunescale_core.results.result import Result
from tunescale_core.study.serving import EAGER


def timed_beside(cells: Sequence[Result]) -> Iterator[str]:
    """Yield a line with how many cells were timed beside others' load, and the worst of them; none where none was."""
    loads = [(load, cell) for cell in cells if (load := cell.beside) is not None]
    if loads:
        load, worst = max(loads, key=lambda pair: pair[0])
        way = "" if worst.serving == EAGER else f", served by {worst.serving}"
        yield (
            f"{len(loads)} of {len(cells)} cells were timed while others used the machine, so their seconds are "
            f"doubtful; the most, {load:.1f} cores or processes on the card, beside {worst.candidate.id} for "
            f"{worst.task}{way}"
        )
