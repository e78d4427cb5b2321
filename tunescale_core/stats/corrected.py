"""P values corrected for how many were looked at."""

from __future__ import annotations

from collections.abc import Sequence

from tunescale_core.stats.interval import ALPHA


def adjusted(ps: Sequence[float], method: str = "fdr_bh") -> list[float]:
    """Return p values corrected for their number: `fdr_bh` (Benjamini and Hochberg) to explore, `holm` for gates."""
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(ps, ALPHA, method)[1]] if ps else []
