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
    if not ps:
        return []
    if method == "fdr_bh":
        from scipy.stats import false_discovery_control

        return [float(p) for p in false_discovery_control(ps)]
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(ps, method="holm")[1]]
