"""Two candidates on one task: the difference, its interval, its p, and how many examples would settle it.

Both are read from the same resamples, so every difference is paired.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tunescale_core.arrays import Figures
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.pair import Pair
from tunescale_core.results.resampler import resampler_of
from tunescale_core.results.result import Result, Rows
from tunescale_core.results.results import Results, mean_if_known
from tunescale_core.stats.drift import Drift
from tunescale_core.stats.interval import Interval, percentile_interval, wider_interval
from tunescale_core.stats.paired import at_least_chance, log_ratio_p, paired_p, spread_p, wider_p
from tunescale_core.stats.power import enough
from tunescale_core.stats.resampling import units_of
from tunescale_core.tasks import Metric


@dataclass(frozen=True)
class Comparison:
    """How `new` differs from `old` in one figure of one task."""

    new: float
    old: float
    interval: Interval | None = None
    """Of the difference; None where the source has no examples, or they were not the same ones."""
    p: float | None = None
    n: int | None = None
    """Examples (timed ones, for a latency) that both answered."""
    enough: int | None = None
    """Examples at which a difference as large as this would be seen; None where there is none, or no interval, or the
    machine's drift may be all of it, which no number of examples changes."""
    drift: Drift | None = None
    """Of the machine; None where nothing shows it, or no time is compared."""
    unlike: bool = False
    """Whether both sides have examples, and not the same ones: the difference then says nothing."""
    lone: bool = False
    """Whether a side is one training, so that the interval does not hold what another would give."""

    @property
    def difference(self) -> float:
        """New minus old, in the figure's unit."""
        return self.new - self.old

    @property
    def relative(self) -> float | None:
        """The difference as a share of `old`; None where that is zero."""
        return self.difference / abs(self.old) if self.old else None


class Comparisons:
    """Any two candidates of some results, compared."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.resampler = resampler_of(results)
        self._found: dict[tuple[Candidate, Candidate, str, str], Comparison | None] = {}

    def quality(self, new: Candidate, old: Candidate, task: str, metric: Metric | None = None) -> Comparison | None:
        """Compare a metric, the primary one unless given; None where one side has none."""
        metric = metric or self.results.metric(task)
        key = (new, old, task, metric.name)
        if key not in self._found:
            self._found[key] = self._marked(self._quality(new, old, task, metric), new, old, task)
        return self._found[key]

    def _quality(self, new: Candidate, old: Candidate, task: str, metric: Metric) -> Comparison | None:
        values = [_mean_metric(self.results.at(side, task), metric.name) for side in (new, old)]
        if values[0] is None or values[1] is None:
            return None
        sides = [self.resampler.quality(side, task, metric) for side in (new, old)]
        pair = self._pair(new, old, task)
        if pair is None or sides[0] is None or sides[1] is None:
            return Comparison(values[0], values[1], unlike=sides[0] is not None and sides[1] is not None)
        return _compared(values[0], values[1], metric, sides[0] - sides[1], pair)

    def latency(self, new: Candidate, old: Candidate, task: str) -> Comparison | None:
        """Compare mean latencies; None where one side has none.

        Resampling the questions says how far the result hangs on which questions were timed; that the machine was
        slower while one side ran is in it as far as the results show how much it drifts.
        """
        key = (new, old, task, "latency")
        if key not in self._found:
            self._found[key] = self._marked(self._latency(new, old, task), new, old, task)
        return self._found[key]

    def _latency(self, new: Candidate, old: Candidate, task: str) -> Comparison | None:
        values = [self.results.latency(side, task) for side in (new, old)]
        if values[0] is None or values[1] is None:
            return None
        sides = [self.resampler.latency(side, task) for side in (new, old)]
        pair = self._pair(new, old, task, timed=True)
        if pair is None or sides[0] is None or sides[1] is None:
            return Comparison(values[0], values[1], unlike=sides[0] is not None and sides[1] is not None)
        replicates, n = sides[0] - sides[1], int(pair[0][0].timed.sum())
        interval = percentile_interval(values[0] - values[1], replicates)
        p, drift = self._latency_p(pair, replicates), self.resampler.drift
        return Comparison(values[0], values[1], interval, p, n, self._enough(new, old, task, n), drift=drift)

    def spread(self, new: Candidate, old: Candidate, task: str) -> Comparison | None:
        """Compare how much calls vary, the standard deviation of their seconds; None where one side has too few."""
        ours, theirs = (
            mean_if_known([_deviation(cell) for cell in self.results.at(side, task)]) for side in (new, old)
        )
        mine, other = (self.resampler.spread(side, task) for side in (new, old))
        if ours is None or theirs is None or mine is None or other is None:
            return None
        pair = self._pair(new, old, task, timed=True)
        if pair is None:
            return Comparison(ours, theirs, unlike=True)
        p, drift = None, self.resampler.drift
        if len(pair[0]) == len(pair[1]) == 1:
            units = units_of(_timed(pair)[2])
            # Its own test takes seconds for normal, which they are not.
            p = max(spread_p(*_timed(pair), drift), at_least_chance(wider_p(ours - theirs, mine - other), units))
        interval = wider_interval(ours - theirs, mine - other)
        found = Comparison(ours, theirs, interval, p, int(pair[0][0].timed.sum()), drift=drift)
        return self._marked(found, new, old, task)

    def _enough(self, new: Candidate, old: Candidate, task: str, n: int) -> int | None:
        """Return how many timed questions would show a difference in latency.

        None where drift alone hides it, and of several seeds, as of any figure.
        """
        ours, theirs = (self.results.latency(side, task) for side in (new, old))
        mine, other = (self.resampler.latency(side, task, steady=True) for side in (new, old))
        if not ours or not theirs or mine is None or other is None:
            return None
        drift, hidden = self.resampler.drift, 0.0
        if any(self.results.seeds(side, task) > 1 for side in (new, old)):
            return None  # what seeds differ by no number of questions mends
        if drift is not None:
            hidden = drift.hides(math.log(ours / theirs), 2)
        return enough(ours - theirs, mine - other, n, hidden=hidden)

    def _marked(self, found: Comparison | None, new: Candidate, old: Candidate, task: str) -> Comparison | None:
        lone = any(side.tuned and self.results.seeds(side, task) == 1 for side in (new, old))
        return None if found is None else replace(found, lone=lone and found.interval is not None)

    def _latency_p(self, pair: tuple[list[Rows], list[Rows]], replicates: Figures) -> float:
        """Test the questions' log-ratios; several seeds, or a call of no time, leave it to the bootstrap."""
        new, old, group = _timed(pair)
        if len(pair[0]) == len(pair[1]) == 1 and (new > 0).all() and (old > 0).all():
            return log_ratio_p(new, old, group, self.resampler.drift)
        return at_least_chance(paired_p("composite", new, old, replicates), units_of(group))

    def _pair(
        self, new: Candidate, old: Candidate, task: str, *, timed: bool = False
    ) -> tuple[list[Rows], list[Rows]] | None:
        """Return both sides' rows, one a seed; None where not all of them answered (or timed) the same examples."""
        sides = tuple([cell.rows for cell in self.results.at(side, task)] for side in (new, old))
        everyone = [rows for side in sides for rows in side if rows is not None]
        complete = len(everyone) == sum(map(len, sides)) and all(sides)
        if not complete or len({rows.example for rows in everyone}) > 1:
            return None
        if timed and len({rows.timed.tobytes() for rows in everyone}) > 1:
            return None
        return ([rows for rows in sides[0] if rows], [rows for rows in sides[1] if rows])


@lru_cache(maxsize=4)
def comparisons_of(results: Results) -> Comparisons:
    """Return the comparisons that everything read from these results shares."""
    return Comparisons(results)


def _compared(
    new: float, old: float, metric: Metric, replicates: Figures, rows: tuple[list[Rows], list[Rows]]
) -> Comparison:
    import numpy as np

    sides = [np.mean([one.figures[metric.name] for one in side], axis=0) for side in rows]
    single, first = len(rows[0]) == len(rows[1]) == 1, rows[0][0]
    pair = Pair(metric, new - old, sides[0], sides[1], first.group, lambda: replicates, single)
    return Comparison(new, old, pair.interval, pair.p, len(first.example), pair.enough())


def _timed(pair: tuple[list[Rows], list[Rows]]) -> tuple[Figures, Figures, list[str]]:
    """Return the seconds of both sides' first seeds, and the timed questions' groups."""
    new, old = (side[0].seconds[side[0].timed] for side in pair)
    first = pair[0][0]
    return new, old, [name for name, timed in zip(first.group, first.timed, strict=True) if timed]


def _deviation(cell: Result) -> float | None:
    """Return the standard deviation of a cell's timed seconds; None of fewer than two."""
    seconds = None if cell.rows is None else cell.rows.seconds[cell.rows.timed]
    return None if seconds is None or len(seconds) < 2 else float(seconds.std(ddof=1))


def _mean_metric(cells: Sequence[Result], name: str) -> float | None:
    return mean_if_known([cell.metric_value(name) for cell in cells])
