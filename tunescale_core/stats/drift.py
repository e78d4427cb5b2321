"""How far a machine's pace drifts between measurements of the same work, and what that leaves of a difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tunescale_core.arrays import Figures
from tunescale_core.stats.interval import ALPHA
from tunescale_core.stats.power import POWER

MOST = math.log(1000)
"""No machine is seen as a thousand times slower: a few repetitions leave tails that have no end."""


@dataclass(frozen=True)
class Drift:
    """How much the logarithm of the time that the same work takes varies from one measurement to another.

    That is a component of variance, what was seen less what single calls explain. How far it can be trusted is drawn
    as a generalised pivotal quantity (Weerahandi, 1993): the variance that was seen may be `seen · df / χ²`.
    """

    seen: float
    """Variance of the measurements, noise and all."""
    df: float
    """Degrees of freedom that it was estimated with, at least 1; not whole where measurements go together."""
    noise: float = 0.0
    """What the variance would be on a steady machine."""

    @property
    def sd(self) -> float:
        """The standard deviation of the drift; zero where noise explains all that was seen."""
        return math.sqrt(max(0.0, self.seen - self.noise))

    def __str__(self) -> str:
        return (
            f"from cell to cell the same work took {math.expm1(self.sd):.0%} more or less time (one standard deviation)"
        )

    @property
    def figures(self) -> dict[str, float]:
        """All of it as numbers, for JSON."""
        return {"sd": self.sd, "reach": self.reach, "seen": self.seen, "df": self.df, "noise": self.noise}

    @property
    def reach(self) -> float:
        """By how many times the same work may take longer at one of two measurements, in 95 % of pairs."""
        from scipy.stats import t

        return math.exp(min(MOST, math.sqrt(2) * self.sd * float(t.ppf(1 - ALPHA / 2, self.df))))

    def factors(self, resamples: int, seed: int, own: int) -> Figures:
        """Draw how much slower than usual the machine may have been while something was timed, shape `(B,)`.

        How much it drifts is drawn too, the same for all that share the seed, so that without noise the logarithm of
        a ratio of two is Student's t with `df` degrees of freedom and √2 times the standard deviation.

        Args:
            resamples: How many, B.
            seed: Of how much it drifts.
            own: Of what was timed.
        """
        import numpy as np

        spread = self._spread(np.random.default_rng([seed, round(1000 * self.df)]).chisquare(self.df, resamples))
        slower = np.random.default_rng([seed, own]).standard_normal(resamples)
        return np.exp(np.clip(spread * slower, -MOST, MOST))

    def beyond(self, ratio: float, by_chance: Figures) -> float:
        """Return the two-sided p that two sides take as long.

        Args:
            ratio: The logarithm of how much longer one takes.
            by_chance: What that would be by chance on a steady machine, shape `(B,)`, in no order.
        """
        import numpy as np
        from scipy.special import ndtr

        scale = math.sqrt(2) * self._spread(_chi_squared(self.df, len(by_chance)))
        drifts = scale > 0
        divisor = np.where(drifts, scale, 1.0)
        reached = ndtr((by_chance - abs(ratio)) / divisor) + ndtr((-by_chance - abs(ratio)) / divisor)
        return float(min(1.0, np.where(drifts, reached, np.abs(by_chance) >= abs(ratio)).mean()))

    def hides(self, ratio: float, sides: int = 2) -> float:
        """Return what share of a log-ratio drift alone could be, at power `POWER` and level `ALPHA`; from 1 on, all.

        Args:
            ratio: The logarithm of how much longer one takes.
            sides: How many of the two are one measurement, whose drift is not seen in others of its own.
        """
        from scipy.stats import t

        reach = math.sqrt(sides) * self.sd * float(t.ppf(1 - ALPHA / 2, self.df) + t.ppf(POWER, self.df))
        return reach / abs(ratio) if ratio else math.inf

    def _spread(self, chi_squared: Figures) -> Figures:
        """Return the standard deviation of the drift where the variance seen is so much of χ², shape `(B,)`."""
        import numpy as np

        return np.sqrt(np.maximum(self.seen * self.df / chi_squared - self.noise, 0.0))


@lru_cache(maxsize=8)
def _chi_squared(df: float, number: int) -> Figures:
    """Return so many quantiles of χ², evenly spread over its probability, shape `(number,)`."""
    import numpy as np
    from scipy.stats import chi2

    return np.asarray(chi2.ppf((np.arange(number) + 0.5) / number, df))


@dataclass(frozen=True)
class Measured:
    """The logarithm of the time that some work took, and what its variance would be on a steady machine."""

    log: float
    noise: float = 0.0
    run: object = None
    """What was measured in one go has the same, and may share its drift; None for what was measured by itself."""


def pooled(groups: Sequence[Sequence[Measured]]) -> Drift | None:
    """Pool the spread within groups of measurements that would be equal on a steady machine, but for their noise.

    Returns:
        The sum of squares about each group's mean over its degrees of freedom, and the mean noise. None where no group
        has two measurements.
    """
    import numpy as np

    several = [group for group in groups if len(group) > 1]
    if not several:
        return None
    apart = [np.array([one.log for one in group]) for group in several]
    apart = [group - group.mean() for group in apart]
    squares = float(sum(np.square(group).sum() for group in apart))
    noise = float(np.mean([one.noise for group in several for one in group]))
    return Drift(squares / sum(len(group) - 1 for group in several), _freedom(several, apart), noise)


def _freedom(groups: Sequence[Sequence[Measured]], apart: Sequence[Figures]) -> float:
    """Return the degrees of freedom that the groups' pooled variance has (Satterthwaite, 1946).

    Where the measurements of a run are slow together, several groups say little more than one does. How much they are
    is the correlation between groups over the runs that they share; one below zero counts as none.

    Args:
        groups: Of at least two measurements each.
        apart: By how much each measurement differs from its group's mean.
    """
    import numpy as np

    runs: dict[object, int] = {}
    table, there = (np.zeros((len(groups), sum(map(len, groups)))) for _ in range(2))
    for row, (group, values) in enumerate(zip(groups, apart, strict=True)):
        for column, (one, value) in enumerate(zip(group, values, strict=True)):
            place = runs.setdefault(one.run if one.run is not None else (row, column), len(runs))
            table[row, place], there[row, place] = value, 1.0
    products, sizes = table @ table.T, there.sum(axis=1)
    common = there @ there.T
    # Of what two groups share, less what each one's mean takes of it; on the diagonal, a group's own degrees.
    shared = common * (1 - 1 / sizes[:, None] - 1 / sizes) + common**2 / (sizes[:, None] * sizes)
    own, alone = float(np.trace(products)), float(sum(len(group) - 1 for group in groups))
    both = float(shared.sum() - np.trace(shared))
    if not own or both < 1e-9:
        return alone
    together = float(products.sum() - own) / both / (own / alone)
    return alone**2 / (alone + both * float(np.clip(together, 0, 1)) ** 2)
