"""Which trial of a search won: its rate is the one that variants are tuned with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tunescale_core.records.record import Trial
from tunescale_core.tasks import Task


def best_of(trials: Sequence[Trial], task: Task) -> Trial:
    """Return the trial with the best figure; of equals the one with the lowest loss at the end."""
    metric = task.metric(task.judged)
    sign = metric.sign if metric else 1

    def rank(trial: Trial) -> tuple[float, float]:
        loss = trial.loss if math.isfinite(trial.loss) else math.inf
        return (-math.inf if trial.score is None else sign * trial.score, -loss)

    return max(trials, key=rank)
