"""What answering without looking scores, and who is not surely better: no reason to ship any of those."""

from __future__ import annotations

from dataclasses import dataclass

from tunescale_core.advice.choice import Advice
from tunescale_core.advice.constraints import Bar
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.results import Results
from tunescale_core.results.trivial import trivial_quality, trivial_rule


@dataclass(frozen=True)
class Floor:
    """The objective's value without looking, and the candidates that are not surely above it."""

    objective: Bar
    value: float
    rule: str
    """How the answer is chosen, in words."""
    below: tuple[Candidate, ...]
    """Those whose quality does not surely exceed it, at 95 %, one-sided."""
    alone: bool
    """Whether that is all of them."""

    def told(self, chosen: tuple[Candidate, ...]) -> str | None:
        """Return a sentence where all candidates, or one that is chosen, are no better; None elsewhere."""
        metric = self.objective.metric
        without = f"answering without looking ({self.rule}: {metric.name} {self.value:,.{metric.digits}f})"
        if self.alone:
            return f"Nothing that was measured is surely better for {self.objective.task} than {without}."
        named = [one.id for one in chosen if one in self.below]
        return f"Not surely better for {self.objective.task} than {without}: {', '.join(named)}." if named else None


def floor_of(results: Results, objective: Bar, advice: Advice) -> Floor | None:
    """Return the floor of what is maximised; None where the source has no examples to answer."""
    value = trivial_quality(results, objective.task, objective.metric)
    if value is None:
        return None
    higher = objective.metric.better == "higher"
    below = tuple(one.candidate for one in advice.standings if not (one.bound > value if higher else one.bound < value))
    rule = trivial_rule(results, objective.task)
    return Floor(objective, value, rule, below, alone=len(below) == len(advice.standings))
