"""What a run keeps beside its records: its paces, and what its study asks of a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunescale_core.measuring.cell import Bench
    from tunescale_core.pace.pace import Pace


def keep_beside(bench: Bench, paces: Sequence[Pace]) -> None:
    """Write both; of an earlier run's, which say nothing of these records, nothing stays.

    Raises:
        ResourceError: The disk is full; what was there is left whole.
        StoreError: A folder is a link out of the store.
        OSError: One cannot be written for another reason.
    """
    from tunescale_core.advice.kept import constraints_beside, keep
    from tunescale_core.pace.pace import paces_beside, write

    measured, asked = paces_beside(bench.records), constraints_beside(bench.records)
    for path in (measured, asked):
        bench.store.within(path.parent)
    if paces:
        write(paces, measured)
    else:
        measured.unlink(missing_ok=True)
    keep(bench.study.constraints, asked)
