"""Two candidates on one task: the difference, its interval, its p, and how many examples would settle it.

All candidates of a task are resampled together: a resample draws the same examples for each of them, and, where there
are several seeds, adds for each candidate what so few of them leave open. So every difference is paired, and
replicates of many candidates can be set against each other.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tunescale_core.results.candidate import Candidate
from tunescale_core.results.pair import Pair
from tunescale_core.results.result import Result, Rows
from tunescale_core.results.results import Results
from tunescale_core.stats.interval import Interval, percentile_interval
from tunescale_core.stats.paired import at_least_chance, log_ratio_p, paired_p
from tunescale_core.stats.power import enough
from tunescale_core.stats.resampling import RESAMPLES, members_of, over_seeds, weighted_percentile, weights
from tunescale_core.tasks import Metric
from tunescale_core.tasks.task import Figures


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
    """Examples at which a difference as large as this would be seen; None where there is none, or no interval."""
    unlike: bool = False
    """Whether both sides have examples, and not the same ones: the difference then says nothing."""

    @property
    def difference(self) -> float:
        """New minus old, in the figure's unit."""
        return self.new - self.old

    @property
    def relative(self) -> float | None:
        """The difference as a share of `old`; None where that is zero."""
        return self.difference / abs(self.old) if self.old else None


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

    def latency(self, candidate: Candidate, task: str, rank: float | None = None) -> Figures | None:
        """Return the replicates of the mean latency, or of a percentile, over the timed examples, shape `(B,)`.

        None where none was timed.
        """
        figure = "latency" if rank is None else f"latency p{rank:g}"
        return self._replicates(candidate, task, figure, lambda rows: self._timed(rows, task, rank))

    def spread(self, candidate: Candidate, task: str) -> Figures | None:
        """Return the replicates of the standard deviation of a call's seconds, shape `(B,)`; None of fewer than two."""
        return self._replicates(candidate, task, "spread", lambda rows: self._deviation(rows, task))

    def _replicates(
        self, candidate: Candidate, task: str, figure: str, of: Callable[[Rows], Figures | None]
    ) -> Figures | None:
        key = (candidate, task, figure)
        if key not in self._found:
            cells = self.results.at(candidate, task)
            each = [None if cell.rows is None else of(cell.rows) for cell in cells]
            known = [one for one in each if one is not None]
            whole = len(known) == len(cells) and bool(cells)
            self._found[key] = self._over_seeds(candidate, task, known) if whole else None
        return self._found[key]

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
        drawn, seconds = self._drawn(rows, task), rows.seconds[rows.timed]
        if rank is not None:
            return weighted_percentile(seconds, drawn, rank)
        return drawn @ seconds / drawn.sum(axis=1)

    def _deviation(self, rows: Rows, task: str) -> Figures | None:
        import numpy as np

        seconds = rows.seconds[rows.timed]
        if len(seconds) < 2:
            return None
        drawn = self._drawn(rows, task)
        shares = drawn / drawn.sum(axis=1, keepdims=True)
        variance = np.maximum(shares @ seconds**2 - (shares @ seconds) ** 2, 0.0)
        return np.sqrt(variance * len(seconds) / (len(seconds) - 1))

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


@lru_cache(maxsize=4)
def resampler_of(results: Results) -> Resampler:
    """Return the resampler that everything read from these results shares."""
    return Resampler(results)


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
            self._found[key] = self._quality(new, old, task, metric)
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

        Resampling the questions says how far the result hangs on which questions were timed; that a machine was
        slower while one side ran is not in it.
        """
        key = (new, old, task, "latency")
        if key not in self._found:
            self._found[key] = self._latency(new, old, task)
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
        p = self._latency_p(pair, replicates)
        return Comparison(values[0], values[1], interval, p, n, enough(interval.value, replicates, n))

    def _latency_p(self, pair: tuple[list[Rows], list[Rows]], replicates: Figures) -> float:
        """Test the questions' log-ratios; several seeds, or a call of no time, leave it to the bootstrap."""
        new, old = (side[0].seconds[side[0].timed] for side in pair)
        first = pair[0][0]
        group = [name for name, timed in zip(first.group, first.timed, strict=True) if timed]
        if len(pair[0]) == len(pair[1]) == 1 and (new > 0).all() and (old > 0).all():
            return log_ratio_p(new, old, group)
        return at_least_chance(paired_p("composite", new, old, replicates), max(members_of(group)) + 1)

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


def _mean_metric(cells: Sequence[Result], name: str) -> float | None:
    values = [cell.metric_value(name) for cell in cells]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
