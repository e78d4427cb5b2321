"""How two figures go together over a few points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

LARGEST_EXACT = 8
"""Points up to which all orders are tried for Spearman's p: 40,320 of them."""


def correlation(x: Sequence[float], y: Sequence[float], *, ranks: bool = False) -> tuple[float, float] | None:
    """Return Pearson's r, or Spearman's rho, with its two-sided p.

    Returns:
        None where it is undefined: fewer than three points, or a constant side. The p of three points or more is
        exact only under normality (Pearson) or by all permutations (Spearman, up to 8 points).
    """
    from scipy.stats import pearsonr, spearmanr

    if len(x) < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        return None
    if not ranks:
        found = pearsonr(x, y)
        return float(found.statistic), float(found.pvalue)
    if len(x) > LARGEST_EXACT:
        found = spearmanr(x, y)
        return float(found.statistic), float(found.pvalue)
    return _exact_spearman(x, y)


def _exact_spearman(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return rho and the share of all orders of `x` whose rho is as far from zero."""
    import numpy as np
    from scipy.stats import rankdata

    ranks = [rankdata(side) - (len(side) + 1) / 2 for side in (x, y)]
    scale = math.sqrt(float((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    orders = np.array(list(permutations(range(len(x)))))
    every = ranks[0][orders] @ ranks[1] / scale
    rho = float(ranks[0] @ ranks[1] / scale)
    return rho, float((np.abs(every) >= abs(rho) - 1e-9).mean())
