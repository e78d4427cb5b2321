"""How far the machine drifted while results were measured, from cells that should have taken as long a token.

A model serves a token at one pace whatever its weights are: untuned, tuned, or with an adapter merged into it. So the
paces of its cells, asked the same questions one after another, tell how much the machine alone changes a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tunescale_core.results.result import Result, Rows
from tunescale_core.stats.drift import Drift, Measured, pooled
from tunescale_core.tasks.task import Figures


def drift_of(cells: Iterable[Result]) -> Drift | None:
    """Estimate the machine's drift; None where no two cells are comparable.

    Cells that were timed beside others' load do not count: that is no drift, and findings name it.
    """
    alike: dict[object, list[Rows]] = {}
    for cell in cells:
        if cell.paced is None or cell.beside or (rows := cell.rows) is None or not rows.timed.any():
            continue
        asked = tuple(name for name, timed in zip(rows.example, rows.timed, strict=True) if timed)
        alike.setdefault((cell.paced, cell.candidate.way, cell.task, cell.machine, asked), []).append(rows)
    return pooled([_slowness(rows) for rows in alike.values() if len(rows) > 1])


def _slowness(alike: Sequence[Rows]) -> list[Measured]:
    """Return the logarithm of each cell's seconds over what its tokens take at the cells' common pace.

    To the first token each question has its own time, since prompts are of different lengths; the tokens after it
    share one. Both are medians over the cells. How much single calls vary makes a cell's ratio vary too, which is no
    drift (the variance of a ratio: Cochran, 1977, ch. 6). Empty where a cell has no time to its first token.
    """
    import numpy as np

    seconds, first, steps = (np.stack([_column(rows, name) for rows in alike]) for name in _COLUMNS)
    if np.isnan(first).any() or (seconds <= 0).any():
        return []
    decoding, later = (seconds - first).sum(axis=1), steps.sum(axis=1)
    paces = decoding[later > 0] / later[later > 0]
    pace = float(np.median(paces)) if len(paces) else 0.0
    usual = np.median(first, axis=0) + pace * steps
    ratio, calls = seconds.sum(axis=1) / usual.sum(axis=1), seconds.shape[1]
    apart = np.square(seconds - ratio[:, None] * usual).sum(axis=1) / np.square(seconds.sum(axis=1))
    noise = apart * calls / (calls - 1) if calls > 1 else np.zeros(len(alike))
    return [Measured(float(np.log(one)), float(own)) for one, own in zip(ratio, noise, strict=True)]


_COLUMNS = ("seconds", "first_token_seconds", "tokens")


def _column(rows: Rows, name: str) -> Figures:
    import numpy as np

    values = getattr(rows, name)[rows.timed]
    return np.maximum(values - 1, 0.0) if name == "tokens" else values
