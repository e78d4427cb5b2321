"""What resampling says of each candidate under the same draws: quality, latency, and the single measurements."""

from __future__ import annotations

from functools import cached_property

from tunescale_core.advice.constraints import Bar, Constraints
from tunescale_core.arrays import Figures
from tunescale_core.errors import ResultsError
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.resampler import resampler_of, timed_units
from tunescale_core.results.result import Rows
from tunescale_core.results.results import Results
from tunescale_core.results.trivial import trivial_figures
from tunescale_core.stats.interval import SMALLEST
from tunescale_core.stats.resampling import units_of, weighted_percentile

RANKS = {"median": 50.0, "p95": 95.0, "p99": 99.0}


class Draws:
    """The candidates that were measured on every task served, and what each has in every resample.

    Raises:
        ResultsError: There is no such candidate.
    """

    def __init__(self, results: Results, constraints: Constraints, together: int = 1) -> None:
        self.results = results
        self.constraints = constraints
        self.together = together
        """Requests under way at once."""
        self.resampler = resampler_of(results)
        served = constraints.tasks
        self.candidates = [one for one in results.candidates if all(self._measured(one, task) for task in served)]
        self.left_out = [one for one in results.candidates if one not in self.candidates]
        """Not measured on every task served."""
        if not self.candidates:
            raise ResultsError(f"nothing in {results.source} was measured on {' and '.join(served)}")

    @cached_property
    def resampled(self) -> bool:
        """Tell whether every candidate has examples; without, there are point values alone."""
        return all(self._replicates(one, self.constraints.objective) is not None for one in self.candidates)

    @property
    def single(self) -> bool:
        """Whether no candidate has several seeds."""
        task = self.constraints.objective.task
        return all(self.results.seeds(one, task) == 1 for one in self.candidates)

    def _measured(self, candidate: Candidate, task: str) -> bool:
        return self.results.quality(candidate, task) is not None

    def point(self, candidate: Candidate, bar: Bar) -> float:
        """Return a metric's value, its mean over seeds.

        Raises:
            ResultsError: It was not measured.
        """
        values = [cell.metric_value(bar.metric.name) for cell in self.results.at(candidate, bar.task)]
        known = [value for value in values if value is not None]
        if not known:
            raise ResultsError(f"{candidate.id} has no {bar.metric.name} for {bar.task} in {self.results.source}")
        return sum(known) / len(known)

    def _replicates(self, candidate: Candidate, bar: Bar) -> Figures | None:
        return self.resampler.quality(candidate, bar.task, bar.metric)

    def quality(self, candidate: Candidate, bar: Bar) -> Figures:
        """Return a metric's replicates, or its point value in each resample where there are none.

        Resamples hold what was asked and nothing else: six right answers of six are always right. So some of each goes
        to questions of a kind that was not asked, which are worth nothing. Of a share the lower bound is then Clopper
        and Pearson's (1934). Of an error, which has no end, nothing is known of them, and nothing is added.
        """
        import numpy as np

        found = self._replicates(candidate, bar) if self.resampled else None
        if found is None:
            return np.full(self.number, self.point(candidate, bar))
        if bar.metric.better == "lower":
            return found
        return found * (1 - self._unseen(candidate, bar.task)) if np.nanmin(found) >= 0 else found

    def trivial(self, bar: Bar) -> Figures | None:
        """Return what not looking scores in each resample, shape `(B,)`; None where the source has no examples."""
        each = trivial_figures(self.results, bar.task, bar.metric)
        rows = next((cell.rows for cell in self.results.cells if cell.task == bar.task and cell.rows), None)
        if each is None or rows is None or not self.resampled:
            return None
        return bar.metric.combine(each, self.resampler.weights(bar.task, rows.example, rows.group))

    def _unseen(self, candidate: Candidate, task: str) -> Figures:
        """Draw the share of questions of a kind that was not asked, the same for all who were asked as many, `(B,)`.

        With n independent questions it is Beta(1, n): a Dirichlet process of concentration one (Muliere and Secchi,
        1996), which is the Bayesian bootstrap (Rubin, 1981) with one more question.
        """
        import numpy as np

        rows = self._rows(candidate, task)
        units = min(units_of(one.group) for one in rows)
        return np.random.default_rng([self.resampler.seed, units]).beta(1, units, self.number)

    @property
    def number(self) -> int:
        """How many resamples there are; 1 with point values alone."""
        return self.resampler.resamples if self.resampled else 1

    def latency(self, candidate: Candidate, *, steady: bool = False) -> Figures | None:
        """Return the statistic's replicates on the slowest task served; None where a task was not timed enough.

        As if the machine did not drift, where it is to be `steady`.
        """
        import numpy as np

        found = [self._latency_on(candidate, task, steady=steady) for task in self.constraints.tasks]
        known = [one for one in found if one is not None]
        return np.max(known, axis=0) if len(known) == len(found) else None

    def slow_on(self, candidate: Candidate) -> tuple[str, ...]:
        """Return the tasks on which a candidate breaks the limit on latency in most resamples."""
        import numpy as np

        limit = self.constraints.max_latency
        if limit is None:
            return ()
        found = {task: self._latency_on(candidate, task) for task in self.constraints.tasks}
        return tuple(task for task, drawn in found.items() if drawn is not None and np.mean(drawn <= limit) < 0.5)

    def _latency_on(self, candidate: Candidate, task: str, *, steady: bool = False) -> Figures | None:
        import numpy as np

        stat = self.constraints.stat
        if not self.resampled:
            mean = self.results.latency(candidate, task)
            return np.full(1, mean) if mean is not None and stat == "mean" else None
        timed = [timed_units(rows) if rows.timed.any() else 0 for rows in self._rows(candidate, task)]
        if stat in {"p95", "p99"} and (not timed or min(timed) < SMALLEST[int(stat[1:])]):
            return None
        return self.resampler.latency(candidate, task, RANKS.get(stat), steady=steady)

    def _rows(self, candidate: Candidate, task: str) -> list[Rows]:
        return [cell.rows for cell in self.results.at(candidate, task) if cell.rows]

    def memory(self, candidate: Candidate) -> int | None:
        """Return the peak bytes of the cells served; None where one did not measure it."""
        records = [cell.record for task in self.constraints.tasks for cell in self.results.at(candidate, task)]
        peaks = [record.peak_memory_bytes if record else None for record in records]
        return None if None in peaks else max(peak for peak in peaks if peak is not None)

    def cost(self, candidate: Candidate) -> float | None:
        """Return the device seconds of training, 0 for an untuned model; None where it is not known."""
        if not candidate.tuned:
            return 0.0
        cells = [cell for task in self.constraints.tasks for cell in self.results.at(candidate, task)]
        costs = [cell.record.cost.seconds for cell in cells if cell.record and cell.record.cost]
        return max(costs) if len(costs) == len(cells) else None

    def told_latency(self, candidate: Candidate) -> float | None:
        """Return the latency statistic as it was measured, seconds, on the slowest task; None where it is not known."""
        if self.constraints.stat != "mean" and self.latency(candidate) is None:
            return None
        found = [self._told_on(candidate, task) for task in self.constraints.tasks]
        known = [one for one in found if one is not None]
        return max(known) if len(known) == len(found) else None

    def _told_on(self, candidate: Candidate, task: str) -> float | None:
        import numpy as np

        rank = RANKS.get(self.constraints.stat)
        if rank is None:
            return self.results.latency(candidate, task)
        seconds = [cell.rows.seconds[cell.rows.timed] for cell in self.results.at(candidate, task) if cell.rows]
        if rank == RANKS["median"]:
            return float(np.mean([np.median(one) for one in seconds]))
        return float(np.mean([weighted_percentile(one, np.ones((1, len(one))), rank)[0] for one in seconds]))

    @property
    def examples(self) -> int:
        """How many examples the objective rests on; 0 where the source has none."""
        cell = self.results.at(self.candidates[0], self.constraints.objective.task)[0]
        return len(cell.rows.example) if cell.rows else 0
