"""Which candidate to ship: the probability that each is feasible, on the Pareto front, and best.

In every resample each candidate has a quality and a latency drawn together with everybody else's; a candidate is
feasible in it where it keeps to every constraint, and best where none that is feasible is better. Peak memory and
training cost are single measurements and do not vary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tunescale_core.advice.constraints import Constraints
from tunescale_core.advice.draws import Draws
from tunescale_core.advice.next_step import nearest, to_settle, to_tell_apart
from tunescale_core.advice.standing import SURE, Standing, checked
from tunescale_core.arrays import Figures
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.result import Result, on_cpu
from tunescale_core.results.results import Results
from tunescale_core.results.served import Alike, served_by
from tunescale_core.stats.interval import ALPHA
from tunescale_core.study.serving import EAGER
from tunescale_core.tables.cut_short import cut_short
from tunescale_core.tables.timed_beside import timed_beside

Decision = Literal["choose", "tie", "not enough evidence", "nothing is feasible"]


@dataclass(frozen=True)
class Advice:
    """What to ship, or why that cannot be said."""

    decision: Decision
    chosen: tuple[Candidate, ...]
    """One to ship; several that cannot be told apart; or those still in question."""
    standings: tuple[Standing, ...]
    """All candidates, the likeliest best first."""
    next_step: str
    """What to run where the evidence is not enough."""
    left_out: tuple[Candidate, ...]
    """Not measured on every task served, and so not considered."""
    resampled: bool
    """False where the source has point values alone, so that all probabilities are 0 or 1."""
    flags: Mapping[Candidate, tuple[str, ...]]
    """What makes candidates doubtful, a phrase each; sound ones are not in it."""
    same: Mapping[Candidate, Alike]
    """How many answers are eager's, whose quality it is, served as is asked; empty where that is eager."""
    own: bool = False
    """Whether quality is of answers that are the way's own, and not eager's."""
    beside: tuple[str, ...] = ()
    """What others' load has to do with the latencies, in sentences; none where nobody used the machine meanwhile."""
    cut: tuple[str, ...] = ()
    """Whose answers the token limit cut off, in a sentence; none where it cut few."""
    shared: bool = False
    """Whether memory is a process's and not the model's alone, as on a CPU."""
    lone: bool = False
    """Whether a tuned candidate is one training, so that no figure holds what another would give."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be known of those that are chosen, a sentence each."""
        told = ((one, self.flags[one]) for one in self.chosen if one in self.flags)
        return tuple(f"Do not ship {one.id} unexamined: it is flagged ({'; '.join(flags)})." for one, flags in told)


class Chooser:
    """Candidates measured on every task that is to be served, and what is asked of them."""

    def __init__(self, results: Results, constraints: Constraints) -> None:
        served = served_by(results, constraints.serving)
        self.results, self.same, self.own = served.results, served.same, served.own
        self.constraints = constraints
        self.draws = Draws(self.results, constraints, served.together)
        self.candidates = self.draws.candidates

    def advice(self) -> Advice:
        """Decide."""
        standings = tuple(sorted(self._standings(), key=lambda one: (-one.best, -one.feasible, self._rank(one))))
        sure = [one for one in standings if one.feasible >= SURE]
        open_ = [one for one in standings if ALPHA < one.feasible < SURE]
        if not sure and open_:
            step = to_settle(self.draws, max(open_, key=lambda one: one.feasible))
            return self._advice("not enough evidence", tuple(one.candidate for one in open_), standings, step)
        if not sure:
            fewest = min(standings, key=lambda one: (len(one.broken), self._rank(one)))
            return self._advice("nothing is feasible", (), standings, nearest(self.draws, standings, fewest))
        first = min(sure, key=self._rank)
        rivals = [one for one in (*sure, *open_) if one is not first and self._as_good(one, first)]
        if rivals:
            chosen = tuple(one.candidate for one in (first, *rivals))
            return self._advice("tie", chosen, standings, to_tell_apart(self.draws, first, rivals))
        return self._advice("choose", (first.candidate,), standings, "")

    def by_rule(self) -> Candidate | None:
        """Return what the paper's rule ships: the small model fully tuned on the task if it reaches the quality bars.

        If it does not, the larger base (sec. 5, conclusion 4: "Start small and tune ... only then consider scaling").
        """
        task = self.constraints.objective.task
        eager = [one for one in self.candidates if one.way == EAGER]
        tuned = [one for one in eager if one.is_full and one.trained_on == task]
        if not any(one.is_full and one.trained_on == task for one in self.results.candidates):
            tuned = [one for one in eager if one.trained_on == task]
        larger = [one for one in eager if one.model in self.results.larger]
        best = min(tuned, key=lambda one: self._worse(self.draws.point(one, self.constraints.objective)), default=None)
        if best is not None and all(bar.reached(self.draws.point(best, bar)) for bar in self.constraints.bars):
            return best
        return min(larger, key=lambda one: self._worse(self.draws.point(one, self.constraints.objective)), default=best)

    def _advice(
        self, decision: Decision, chosen: tuple[Candidate, ...], standings: tuple[Standing, ...], step: str
    ) -> Advice:
        left_out, resampled = tuple(self.draws.left_out), self.draws.resampled
        same = {one: self.same[one] for one in self.candidates if one in self.same}
        beside, flags = tuple(self._beside(standings)), self.results.flags
        cut = tuple(cut_short(self._cells()))
        shared = any(on_cpu(cell) for cell in self._cells())
        task = self.constraints.objective.task
        lone = any(one.tuned and self.results.seeds(one, task) == 1 for one in self.candidates)
        return Advice(
            decision, chosen, standings, step, left_out, resampled, flags, same, self.own, beside, cut, shared, lone
        )

    def _cells(self) -> list[Result]:
        """Return the candidates' cells on the tasks served."""
        places = ((one, task) for one in self.candidates for task in self.constraints.tasks)
        return [cell for place in places for cell in self.results.at(*place)]

    def _beside(self, standings: Sequence[Standing]) -> Iterator[str]:
        """Say what others' load has to do with the latencies, and whom it alone may have kept out."""
        yield from timed_beside(self._cells())
        if self.constraints.max_latency is None:
            return
        late = [one.candidate for one in standings if one.broken == (self.constraints.latency_text,)]
        out = ", ".join(one.id for one in late if all(self._loaded(one, task) for task in self.draws.slow_on(one)))
        if out:
            yield f"{out} may be fast enough for all that is known: time it again"

    def _loaded(self, candidate: Candidate, task: str) -> bool:
        """Tell whether a candidate was timed on a task while others used the machine."""
        return any(cell.beside is not None for cell in self.results.at(candidate, task))

    def _worse(self, quality: float) -> float:
        return -self.constraints.objective.metric.sign * quality

    def _rank(self, one: Standing) -> tuple[float, float]:
        return self._worse(one.bound), math.inf if one.latency is None else one.latency

    def _standings(self) -> Sequence[Standing]:
        import numpy as np

        asked = self.constraints
        quality = np.stack([self.draws.quality(one, asked.objective) for one in self.candidates])
        merit = asked.objective.metric.sign * quality
        latency = [self.draws.latency(one) for one in self.candidates]
        checks = [checked(self.draws, one, latency[place]) for place, one in enumerate(self.candidates)]
        kept = np.stack([np.all([held for _, held in check], axis=0) for check in checks])
        best = _best_shares(merit, kept)
        front = _front_shares(merit, latency)
        return [
            Standing(
                candidate=one,
                quality=self.draws.point(one, asked.objective),
                bound=asked.objective.metric.sign * float(np.nanquantile(merit[place], ALPHA)),
                latency=self.draws.told_latency(one),
                memory=self.draws.memory(one),
                cost=self.draws.cost(one),
                feasible=float(kept[place].mean()),
                front=front[place],
                best=best[place],
                broken=tuple(text for text, held in checks[place] if np.mean(held) < 0.5),
            )
            for place, one in enumerate(self.candidates)
        ]

    def _as_good(self, one: Standing, first: Standing) -> bool:
        """Tell whether a candidate may be as good as the first: the paired interval of their difference holds zero."""
        import numpy as np

        objective = self.constraints.objective
        gains = self.draws.quality(one.candidate, objective) - self.draws.quality(first.candidate, objective)
        return bool(np.nanquantile(objective.metric.sign * gains, 1 - ALPHA / 2) >= 0)


def _best_shares(merit: Figures, kept: Figures) -> list[float]:
    """Return in what share of the resamples each candidate is feasible and unbeaten; equals share a win."""
    import numpy as np

    allowed = np.where(kept & ~np.isnan(merit), merit, -np.inf)
    top = allowed.max(axis=0)
    wins = (allowed == top) & kept
    shared = wins / np.maximum(wins.sum(axis=0), 1)
    return [float(share) for share in shared.mean(axis=1)]


def _front_shares(merit: Figures, latency: Sequence[Figures | None]) -> list[float]:
    """Return in what share of the resamples no other is better in quality or latency and as good in the other."""
    import numpy as np

    times = np.stack([np.full(merit.shape[1], np.inf) if one is None else one for one in latency])
    shares = []
    for place in range(len(merit)):
        as_good = (merit >= merit[place]) & (times <= times[place])
        better = (merit > merit[place]) | (times < times[place])
        shares.append(float(1 - (as_good & better).any(axis=0).mean()))
    return shares
