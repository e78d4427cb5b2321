"""Tests of which trial of a search won."""

from __future__ import annotations

import math

import pytest

from tunescale_core.records.best_trial import best_of
from tunescale_core.records.record import Trial
from tunescale_core.tasks import TASKS


def trial(rate: float, score: float | None, loss: float = 1.0) -> Trial:
    return Trial(learning_rate=rate, score=score, metric="f1", loss=loss, steps=1, seconds=1.0)


@pytest.mark.parametrize(("task", "won"), [("squad_v2", 2.0), ("openmath", 2.0), ("arc", 2.0)])
def test_the_best_figure_wins(task: str, won: float) -> None:
    """Questions judge a trial, by the task's metric of one answer, and not the loss that it ended with."""
    assert best_of([trial(1.0, 0.2, 0.1), trial(2.0, 0.9, 3.0), trial(3.0, 0.5)], TASKS[task]).learning_rate == won


@pytest.mark.parametrize("worse", [2.0, math.nan, math.inf])
def test_of_equals_the_lower_loss_wins(worse: float) -> None:
    """A loss that is no number is the highest there is, whichever trial comes first."""
    trials = [trial(1.0, 0.5, worse), trial(2.0, 0.5, 1.0)]
    assert [best_of(some, TASKS["squad_v2"]).learning_rate for some in (trials, trials[::-1])] == [2.0, 2.0]


def test_a_lost_trial_wins_against_no_other() -> None:
    """What has no figure is worse than the worst figure there is."""
    assert best_of([trial(1.0, None, 0.0), trial(2.0, 0.0, 9.0)], TASKS["squad_v2"]).learning_rate == 2.0
