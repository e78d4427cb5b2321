"""LoRA by rank: the best one of a task, and whether rank goes with score or latency."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tunescale_core.errors import ResultsError
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.results import Results
from tunescale_core.stats.correlation import correlation

Ties = Literal["latency", "first"]
TIE_RULES: dict[Ties, str] = {
    "latency": "best quality; of equals the lower latency, then the lower rank",
    "first": "best quality; of equals the first row",
}


@dataclass(frozen=True)
class Correlation:
    """How a figure goes with rank over the LoRA rows of one model, tuned on the task they are asked."""

    n: int
    """Ranks."""
    pearson: tuple[float, float] | None
    """On raw rank: r and p; None where it is undefined."""
    pearson_log2: tuple[float, float] | None
    """On the rank's base-2 logarithm."""
    spearman: tuple[float, float] | None


def checked_ties(name: str) -> Ties:
    """Return a tie-break rule by name.

    Raises:
        ResultsError: There is none of that name.
    """
    for known in TIE_RULES:
        if name == known:
            return known
    raise ResultsError(f"no tie-break rule {name!r}; known are {', '.join(TIE_RULES)}")


def full_on(results: Results, model: str, task: str) -> Candidate | None:
    """Return the candidate of all weights tuned on a task, the best where a study has several ways to."""
    return _best(results, fulls_on(results, model, task), task, "latency")


def fulls_on(results: Results, model: str, task: str) -> tuple[Candidate, ...]:
    """Return a model's candidates of all weights tuned on a task: one for each way that a study has to."""
    return tuple(one for one in results.candidates if one.model == model and one.trained_on == task and one.is_full)


def loras_on(results: Results, model: str, task: str) -> tuple[Candidate, ...]:
    """Return a model's LoRA candidates tuned on a task, in the source's order."""
    order = dict.fromkeys(cell.candidate for cell in results.cells)
    return tuple(one for one in order if one.model == model and one.trained_on == task and one.rank is not None)


def ranks_of_one(results: Results, model: str, task: str) -> tuple[Candidate, ...]:
    """Return the candidates of the LoRA method that has most ranks: another method's differ by more than rank."""
    loras = loras_on(results, model, task)
    families = Counter(one.family for one in loras)
    most = max(families, key=lambda name: families[name]) if families else ""
    return tuple(one for one in loras if one.family == most)


def best_lora(results: Results, model: str, task: str, ties: Ties = "latency") -> Candidate | None:
    """Return the LoRA candidate that does best on the task it was tuned on, by `TIE_RULES`."""
    return _best(results, loras_on(results, model, task), task, ties)


def rank_correlation(results: Results, model: str, task: str, figure: Literal["score", "latency"]) -> Correlation:
    """Return how score or latency goes with rank, over the LoRA rows tuned on the task itself."""
    value_of = results.quality if figure == "score" else results.latency
    pairs = [(one.rank, value_of(one, task)) for one in ranks_of_one(results, model, task)]
    known = [(rank, value) for rank, value in pairs if rank is not None and value is not None]
    ranks, values = [float(rank) for rank, _ in known], [value for _, value in known]
    logs = [math.log2(rank) for rank in ranks]
    return Correlation(
        len(known), correlation(ranks, values), correlation(logs, values), correlation(ranks, values, ranks=True)
    )


def _best(results: Results, candidates: Sequence[Candidate], task: str, ties: Ties) -> Candidate | None:
    if task not in results.tasks:
        return candidates[0] if len(candidates) == 1 else None
    sign = -results.metric(task).sign
    known = [(one, value) for one in candidates if (value := results.quality(one, task)) is not None]

    def merit(entry: tuple[Candidate, float]) -> tuple[float, ...]:
        one, value = entry
        if ties == "first":
            return (sign * value,)
        latency = results.latency(one, task)
        return (sign * value, math.inf if latency is None else latency, one.rank or 0)

    return min(known, key=merit)[0] if known else None
