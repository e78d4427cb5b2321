"""P values corrected for how many were looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal


def adjusted(ps: Sequence[float], method: Literal["fdr_bh", "holm"] = "fdr_bh") -> list[float]:
    """Return p values corrected for their number.

    Args:
        ps: Uncorrected, 0 to 1.
        method: `fdr_bh` (Benjamini and Hochberg, 1995) to explore; `holm` (Holm, 1979) for gates.
    """
    import numpy as np

    if not ps:
        return []
    n, order = len(ps), np.argsort(ps)
    ascending, rank = np.asarray(ps, dtype=float)[order], np.arange(n)
    stepped = (
        np.maximum.accumulate(ascending * (n - rank))  # each is held against those that are left
        if method == "holm"
        else np.minimum.accumulate((ascending * n / (rank + 1))[::-1])[::-1]
    )
    found = np.empty(n)
    found[order] = np.minimum(stepped, 1.0)
    return [float(p) for p in found]
