"""Resamples that all candidates of a task share, and what each candidate's figures are in them.

A resample draws the same examples for each candidate; where there are several seeds, it adds what so few of them leave
open, and to a time what the machine's drift does. So every difference is paired, and replicates of many candidates can
be set against each other.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

from tunescale_core.arrays import Figures
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.drift import drift_of
from tunescale_core.results.result import Result, Rows
from tunescale_core.results.results import Results
from tunescale_core.stats.drift import Drift
from tunescale_core.stats.resampling import RESAMPLES, over_seeds, percentiles, units_of, weights, widened
from tunescale_core.tasks import Metric


class Resampler:
    """Replicates of the candidates' figures under resamples that all of a task's candidates share."""

    def __init__(self, results: Results, resamples: int = RESAMPLES, seed: int = 0) -> None:
        self.results = results
        self.resamples = resamples
        self.seed = seed
        self._weights: dict[tuple[str, tuple[str, ...]], Figures] = {}
        self._found: dict[tuple[Candidate, str, str], Figures | None] = {}

    def quality(self, candidate: Candidate, task: str, metric: Metric | None = None) -> Figures | None:
        """Return a metric's replicates (the primary one's unless given), shape `(B,)`; None where it has no rows."""
        metric = metric or self.results.metric(task)
        return self._replicates(candidate, task, metric.name, lambda rows: self._quality_of(rows, task, metric))

    @cached_property
    def drift(self) -> Drift | None:
        """The machine's, between the cells; None where nothing shows it."""
        return drift_of(self.results.cells)

    def latency(
        self, candidate: Candidate, task: str, rank: float | None = None, *, steady: bool = False
    ) -> Figures | None:
        """Return the replicates of the mean latency, or of a percentile, over the timed examples, shape `(B,)`.

        They hold the machine's drift, unless they are to be as if it were steady. None where too few were timed for
        any: of one call, or of questions on one passage alone, nothing says how much others would take.
        """
        figure = f"{'steady ' if steady else ''}latency" + ("" if rank is None else f" p{rank:g}")
        return self._replicates(
            candidate, task, figure, lambda rows: self._timed(rows, task, rank), timed=not steady, mean=rank is None
        )

    def spread(self, candidate: Candidate, task: str) -> Figures | None:
        """Return the replicates of the standard deviation of a call's seconds, shape `(B,)`; None of fewer than two."""
        return self._replicates(candidate, task, "spread", lambda rows: self._deviation(rows, task), timed=True)

    def _replicates(  # noqa: PLR0913  a figure, and what is added to it
        self,
        candidate: Candidate,
        task: str,
        figure: str,
        of: Callable[[Rows], Figures | None],
        *,
        timed: bool = False,
        mean: bool = False,
    ) -> Figures | None:
        """Return replicates of a figure, cached: of a time with the drift, of a mean as far apart as few calls are."""
        key = (candidate, task, figure)
        if key not in self._found:
            cells = self.results.at(candidate, task)
            each = [None if cell.rows is None else of(cell.rows) for cell in cells]
            if mean and len(cells) == 1:  # before the drift, which is no matter of how many calls there are
                each = [self._widened(one, cells, task) for one in each]
            # Several seeds differ by the drift too, and what they differ by is drawn below: not twice.
            if timed and self.drift is not None and len(cells) == 1:
                each = [
                    None if one is None else one * self._slowed(self.drift, cell)
                    for cell, one in zip(cells, each, strict=True)
                ]
            known = [one for one in each if one is not None]
            whole = len(known) == len(cells) and bool(cells)
            found = self._over_seeds(candidate, task, known) if whole else None
            self._found[key] = self._widened(found, cells, task) if mean and len(cells) > 1 else found
        return self._found[key]

    def _widened(self, means: Figures | None, cells: Sequence[Result], task: str) -> Figures | None:
        rows = [cell.rows for cell in cells if cell.rows is not None]
        return None if means is None else widened(means, min(map(timed_units, rows)), self._alike(rows[0], task))

    def _slowed(self, drift: Drift, cell: Result) -> Figures:
        """Return how much slower than usual the machine may have been at a cell, shape `(B,)`."""
        own = zlib.crc32(f"{cell.candidate.id} for {cell.task}, seed {cell.seed}".encode())
        return drift.factors(self.resamples, self.seed, own)

    def _over_seeds(self, candidate: Candidate, task: str, each: Sequence[Figures]) -> Figures:
        """Average a candidate's seeds, with what so few of them leave open."""
        import numpy as np

        if len(each) == 1:
            return each[0]
        rng = np.random.default_rng([self.seed, zlib.crc32(f"{candidate.id} for {task}".encode())])
        return over_seeds(np.stack(each, axis=1), rng)

    def _quality_of(self, rows: Rows, task: str, metric: Metric) -> Figures | None:
        figures = rows.figures.get(metric.name)
        return None if figures is None else metric.combine(figures, self.weights(task, rows.example, rows.group))

    def _timed(self, rows: Rows, task: str, rank: float | None) -> Figures | None:
        if not rows.timed.any():
            return None
        seconds = rows.seconds[rows.timed]
        units = timed_units(rows)
        if rank is not None:
            return percentiles(seconds, rank, self.resamples, self._alike(rows, task), units)
        drawn = self._drawn(rows, task)
        means: Figures = drawn @ seconds / drawn.sum(axis=1)
        return means if units > 1 else None

    def _deviation(self, rows: Rows, task: str) -> Figures | None:
        import numpy as np

        seconds = rows.seconds[rows.timed]
        if len(seconds) < 2:
            return None
        drawn = self._drawn(rows, task)
        shares = drawn / drawn.sum(axis=1, keepdims=True)
        variance = np.maximum(shares @ seconds**2 - (shares @ seconds) ** 2, 0.0)
        deviations: Figures = np.sqrt(variance * len(seconds) / (len(seconds) - 1))
        return deviations

    def _alike(self, rows: Rows, task: str) -> list[int]:
        """Return the seed of draws that all who were timed on as many of a task's examples share."""
        return [self.seed, zlib.crc32(task.encode()), int(rows.timed.sum())]

    def _drawn(self, rows: Rows, task: str) -> Figures:
        """Return the resamples of the timed examples, shape `(B, m)`."""
        import numpy as np

        places = np.flatnonzero(rows.timed)
        example, group = ([names[place] for place in places] for names in (rows.example, rows.group))
        return self.weights(task, tuple(example), tuple(group))

    def weights(self, task: str, example: tuple[str, ...], group: tuple[str, ...]) -> Figures:
        """Return the resamples of a task's examples, the same for everyone who answered them, shape `(B, n)`."""
        key = (task, example)
        if key not in self._weights:
            self._weights[key] = weights(group, self.resamples, self.seed)
        return self._weights[key]


def timed_units(rows: Rows) -> int:
    """Return how many of the timed examples, or of their groups, are independent."""
    return units_of([name for name, timed in zip(rows.group, rows.timed, strict=True) if timed])


@lru_cache(maxsize=4)
def resampler_of(results: Results) -> Resampler:
    """Return the resampler that everything read from these results shares."""
    return Resampler(results)
