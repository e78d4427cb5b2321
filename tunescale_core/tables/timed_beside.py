"""What a table says where others used the machine while answers were timed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunescale_core.results.result import Result


def timed_beside(cells: Sequence[Result]) -> Iterator[str]:
    """Yield a line with how many cells were timed beside others' load, and the worst of them; none where none was."""
    loads = {
        cell.record.cell: readings.others
        for cell in cells
        if cell.record and (readings := cell.record.readings) and readings.busy and readings.others
    }
    if loads:
        worst = max(loads, key=loads.__getitem__)
        yield (
            f"{len(loads)} of {len(cells)} cells were timed while others used the machine, so their seconds are "
            f"doubtful; the most, {loads[worst]:.1f} cores or processes on the card, beside {worst}"
        )
