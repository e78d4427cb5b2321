"""How one candidate stands under constraints, and in which resamples it keeps to them."""

from __future__ import annotations

from dataclasses import dataclass

from tunescale_core.advice.draws import Draws
from tunescale_core.arrays import Figures
from tunescale_core.results.candidate import Candidate
from tunescale_core.stats.interval import ALPHA

SURE = 1 - ALPHA


@dataclass(frozen=True)
class Standing:
    """How one candidate stands; probabilities are shares of the resamples."""

    candidate: Candidate
    quality: float
    """Of the objective."""
    bound: float
    """Of the quality, on the safe side at 95 %, one-sided."""
    latency: float | None
    """The statistic asked for, on the slowest task served."""
    memory: int | None
    cost: float | None
    """Device seconds of training; 0 for an untuned model."""
    feasible: float
    front: float
    best: float
    broken: tuple[str, ...]
    """Constraints that it does not keep to in most resamples, or that nothing is known about."""


def checked(draws: Draws, candidate: Candidate, latency: Figures | None) -> list[tuple[str, Figures]]:
    """Return each constraint's words, and in which resamples the candidate keeps to it; unknown is not kept."""
    import numpy as np

    asked, number = draws.constraints, draws.number
    checks = [("", np.ones(number, dtype=bool))]
    for bar in asked.bars:
        drawn = draws.quality(candidate, bar)
        checks.append((bar.text, bar.reached(drawn)))
    if asked.max_latency is not None:
        held = np.zeros(number, dtype=bool) if latency is None else np.asarray(latency <= asked.max_latency)
        unknown = " (not known)" if latency is None else ""
        checks.append((f"{asked.latency_text}{unknown}", held))
    if asked.max_memory is not None:
        checks.append(_once(asked.memory_text, draws.memory(candidate), asked.max_memory, number))
    if asked.max_cost is not None:
        checks.append(_once(asked.cost_text, draws.cost(candidate), asked.max_cost, number))
    return checks


def _once(text: str, value: float | None, limit: float, draws: int) -> tuple[str, Figures]:
    """Return a limit on what was measured once, and whether it is kept, in as many draws."""
    import numpy as np

    unknown = " (not known)" if value is None else ""
    return f"{text}{unknown}", np.full(draws, value is not None and value <= limit)
