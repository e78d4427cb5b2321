"""What answering without looking scores: who is not surely better, and which bars ask no more."""

from __future__ import annotations

from dataclasses import dataclass

from tunescale_core.advice.choice import Advice
from tunescale_core.advice.constraints import Bar, Constraints
from tunescale_core.advice.draws import Draws
from tunescale_core.advice.standing import Standing
from tunescale_core.arrays import Figures
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.results import Results
from tunescale_core.results.trivial import trivial_quality, trivial_rule
from tunescale_core.stats.interval import ALPHA


@dataclass(frozen=True)
class Floor:
    """The objective's value without looking, and the candidates that are not surely above it."""

    objective: Bar
    value: float
    rule: str
    """How the answer is chosen, in words."""
    below: tuple[Candidate, ...]
    """Those whose quality does not surely exceed it, at 95 %, one-sided."""
    all_below: bool

    def told(self, chosen: tuple[Candidate, ...]) -> str | None:
        """Return a sentence where all candidates, or one that is chosen, are no better; None elsewhere."""
        without = f"answering without looking ({self.rule}: {_shown(self.objective, self.value)})"
        if self.all_below:
            return f"Nothing that was measured is surely better for {self.objective.task} than {without}."
        named = [one.id for one in chosen if one in self.below]
        return f"Not surely better for {self.objective.task} than {without}: {', '.join(named)}." if named else None


def floor_of(draws: Draws, advice: Advice) -> Floor | None:
    """Return the floor of what is maximised; None where the source has no examples to answer."""
    results, objective = draws.results, draws.constraints.objective
    value = trivial_quality(results, objective.task, objective.metric)
    if value is None:
        return None
    trivial = draws.trivial(objective)
    below = tuple(one.candidate for one in advice.standings if not _above(draws, one, value, trivial))
    rule = trivial_rule(results, objective.task)
    return Floor(objective, value, rule, below, all_below=len(below) == len(advice.standings))


def _above(draws: Draws, one: Standing, value: float, trivial: Figures | None) -> bool:
    """Tell whether a candidate is surely better than not looking, where both are asked the same questions.

    Its bound must be, and what it is better by in the resamples: where one gets right what the other gets wrong, the
    difference varies more than either.
    """
    import numpy as np

    objective = draws.constraints.objective
    if not objective.metric.improves(one.bound, value):
        return False
    if trivial is None:
        return True
    gain = objective.metric.sign * (draws.quality(one.candidate, objective) - trivial)
    return float(np.nanquantile(gain, ALPHA)) > 0


def idle_bars(results: Results, constraints: Constraints) -> tuple[str, ...]:
    """Return a sentence for each bar that answering without looking reaches."""
    found = []
    for bar in constraints.bars:
        value = trivial_quality(results, bar.task, bar.metric)
        if value is not None and bar.value is not None and not bar.metric.improves(bar.value, value):
            rule = trivial_rule(results, bar.task)
            found.append(f"The bar {bar.text} asks no more than not looking gives: {rule} scores {_shown(bar, value)}.")
    return tuple(found)


def _shown(bar: Bar, value: float) -> str:
    return f"{bar.metric.name} {value:,.{bar.metric.digits}f}"
