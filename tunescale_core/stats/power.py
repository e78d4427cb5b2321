"""How many examples would have told a difference from chance."""

from __future__ import annotations

import math

from tunescale_core.arrays import Figures, Flags
from tunescale_core.stats.interval import ALPHA

POWER = 0.8
DEVIATION = (0.1587, 0.8413)
"""Shares of a normal figure below one standard deviation under its mean, and over it."""


def enough_for_shares(new: Flags, old: Flags, level: float = ALPHA / 2) -> int | None:
    """Return the n at which exact McNemar would see the difference of two paired shares (Connor, 1987).

    Returns:
        n for power `POWER` at a one-sided `level`, half of `ALPHA` unless given; None where the shares do not differ.
    """
    from scipy.special import ndtri

    difference, discordant = float(new.mean() - old.mean()), float((new != old).mean())
    if difference == 0:
        return None
    z, zb = float(ndtri(1 - level)), float(ndtri(POWER))
    root = z * math.sqrt(discordant) + zb * math.sqrt(discordant - difference**2)
    return math.ceil(root**2 / difference**2)


def for_one_of(n: int, tests: float) -> int:
    """Return the n at which a test is enough as one of so many, of the n at which it is enough alone.

    A z-test's n goes with the square of its quantiles' sum, and its level is divided by the number of tests.
    """
    from scipy.special import ndtri

    alone, among = (float(ndtri(1 - ALPHA / 2 / many) + ndtri(POWER)) for many in (1.0, max(1.0, tests)))
    return math.ceil(n * (among / alone) ** 2)


def enough(value: float, replicates: Figures, n: int, level: float = ALPHA / 2, hidden: float = 0.0) -> int | None:
    """Return the n at which a difference of `value` would be seen, its error shrinking with the root of n.

    Args:
        value: The difference.
        replicates: It in each resample of the examples, shape `(B,)`.
        n: Examples.
        level: One-sided.
        hidden: The share of the difference that what more examples do not mend could be.

    Returns:
        n for power `POWER` at `level`; None where the value is zero, or all of it is hidden.
    """
    import numpy as np
    from scipy.special import ndtri

    if value == 0 or hidden >= 1:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        # By quantiles: a few seeds have tails that a standard deviation would be lost in.
        low, high = np.nanquantile(replicates / value, DEVIATION)
        needed = float(n * np.square((ndtri(1 - level) + ndtri(POWER)) * (high - low) / 2) / (1 - hidden**2))
    return max(2, math.ceil(needed)) if math.isfinite(needed) else None
