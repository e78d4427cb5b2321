"""How far the machine drifted while results were measured, from cells that should have taken as long a token.

A model serves a token at one pace whatever its weights are: untuned, tuned, or with an adapter merged into it. So the
paces of its cells, asked the same questions one after another, tell how much the machine alone changes a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tunescale_core.arrays import Figures
from tunescale_core.results.result import Result, Rows
from tunescale_core.stats.drift import Drift, Measured, pooled


def drift_of(cells: Iterable[Result]) -> Drift | None:
    """Estimate the machine's drift; None where no two cells are comparable.

    Cells that were timed beside others' load do not count: that is no drift, and findings name it.
    """
    alike: dict[object, list[tuple[object, Rows]]] = {}
    for cell in cells:
        if cell.paced is None or cell.beside or (rows := cell.rows) is None or not rows.timed.any():
            continue
        asked = tuple(name for name, timed in zip(rows.example, rows.timed, strict=True) if timed)
        run = cell.candidate, cell.seed  # opened once for all its tasks, which are asked one after another
        alike.setdefault((cell.paced, cell.candidate.way, cell.task, asked), []).append((run, rows))
    return pooled([_slowness(cells) for cells in alike.values() if len(cells) > 1])


def _slowness(alike: Sequence[tuple[object, Rows]]) -> list[Measured]:
    """Return the logarithm of each cell's seconds over what its tokens take at the cells' common pace.

    To the first token each question has its own time, since prompts are of different lengths; the tokens after it
    share one. Both are medians over the cells. A cell without any time to a first token is left out, and so are
    questions that a cell has none of.
    """
    import numpy as np

    told = [(run, columns) for run, rows in alike if not np.isnan((columns := _columns(rows))[1]).all()]
    if len(told) < 2:
        return []
    seconds, first, steps = np.stack([columns for _, columns in told], axis=1)
    whole = (first >= 0).all(axis=0) & (seconds > 0).all(axis=0)
    seconds, first, steps = seconds[:, whole], first[:, whole], steps[:, whole]
    decoding, later = (seconds - first).sum(axis=1), steps.sum(axis=1)
    paces = decoding[later > 0] / later[later > 0]
    pace = float(np.median(paces)) if len(paces) else 0.0
    usual = np.median(first, axis=0) + pace * steps
    if not whole.any() or (usual <= 0).any():
        return []
    ratio = seconds.sum(axis=1) / usual.sum(axis=1)
    noise = _noise(seconds / ratio[:, None], usual)
    return [
        Measured(float(np.log(one)), float(own), run) for (run, _), one, own in zip(told, ratio, noise, strict=True)
    ]


def _noise(seconds: Figures, usual: Figures) -> Figures:
    """Return by how much single calls make each cell's ratio vary, a variance: Cochran (1977, ch. 6), of a ratio.

    By how many times a question takes longer than its tokens say, in every cell alike, is no noise. A share and not
    seconds: what a long answer varies by says nothing of a short one.

    Args:
        seconds: Of each call, brought to the usual pace, shape `(cells, n)`.
        usual: What is usual for its tokens, the same shape, all above zero.
    """
    import numpy as np

    cells, calls = seconds.shape
    if calls < 2:
        return np.zeros(cells)
    shares = seconds / usual
    own = np.square(usual * (shares - shares.mean(axis=0))).sum(axis=1) / np.square(usual.sum(axis=1))
    return np.asarray(own * calls / (calls - 1) * cells / (cells - 1))


def _columns(rows: Rows) -> Figures:
    """Return a cell's seconds, those to the first token, and how many tokens come after it, shape `(3, n)`."""
    import numpy as np

    timed = rows.timed
    later = np.maximum(rows.tokens[timed] - 1, 0.0)
    return np.stack([rows.seconds[timed], rows.first_token_seconds[timed], later])
