"""What all tasks share: names, metrics, and the refusal to measure nothing."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.errors import DataError, MetricError, TuneScaleError
from tunescale_core.tasks import PAPERS, TASKS, Answer, Metric, Task
from tunescale_core.tasks.task import PARSE_RATE, Direction, weighted_mean

EVERY_TASK = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def test_the_tasks_are_the_papers_and_two_for_rows_of_ones_own() -> None:
    """Each task stands under its own name, the paper's three first."""
    assert [task.name for task in PAPERS] == ["arc", "openmath", "squad_v2"]
    assert [(name, task.name) for name, task in TASKS.items()] == [
        (name, name) for name in ("arc", "openmath", "squad_v2", "classification", "short_answer")
    ]


@EVERY_TASK
def test_metrics_have_names_of_their_own_and_end_with_the_parse_rate(task: Task) -> None:
    """No two metrics of a task share a name, the first is primary, and the last is the parse rate."""
    names = [metric.name for metric in task.metrics]
    assert len(set(names)) == len(names)
    assert task.primary.name == names[0]
    assert names[-1] == "parse_rate"
    assert all(task.metric(name) is metric for name, metric in zip(names, task.metrics, strict=True))
    assert task.metric("no such metric") is None


@EVERY_TASK
def test_measuring_nothing_is_an_error(task: Task) -> None:
    """Every metric of no answers raises one line that names the metric."""
    for metric in task.metrics:
        with pytest.raises(MetricError, match=rf"^{metric.name} of no answers[^\n]*$"):
            metric([])


@EVERY_TASK
def test_the_example_in_the_system_prompt_parses(task: Task) -> None:
    """The box that a task's system prompt shows is one that its parser reads; without one a study gives it."""
    assert task.parse(task.system) is not None or task.system == ""


@EVERY_TASK
def test_a_task_says_which_columns_it_reads(task: Task) -> None:
    """What a row lacks is one of the columns that the task says it reads."""
    with pytest.raises(DataError, match=rf"column '({'|'.join(task.columns)})'"):
        task.example({}, "answer")


@EVERY_TASK
def test_a_prompt_is_a_system_and_a_user_message(task: Task) -> None:
    """A prompt is the task's own instruction followed by the question."""
    system, user = task.prompt("Why?")
    assert system == {"role": "system", "content": task.system}
    assert user == {"role": "user", "content": "Why?"}


@given(st.lists(st.sampled_from(["", "x", None]), min_size=1))
def test_the_parse_rate_counts_what_could_be_read(said: list[str | None]) -> None:
    """The parse rate is the share of readable answers; an abstention is readable."""
    answers = [Answer((), one) for one in said]
    assert PARSE_RATE(answers) == pytest.approx(1 - said.count(None) / len(said))


@pytest.mark.parametrize(("better", "arrow", "up"), [("higher", "↑", True), ("lower", "↓", False)])
def test_a_metric_owns_its_direction(better: Direction, arrow: str, *, up: bool) -> None:
    """Arrow, improvement and what reaches a value follow the declared direction; no change is no improvement."""
    metric = Metric("m", "M", "", better, lambda _: 1.0)
    assert metric.arrow == arrow
    assert metric.improves(2.0, 1.0) is up
    assert metric.improves(1.0, 2.0) is not up
    assert not metric.improves(1.0, 1.0)
    assert metric.reaches(np.array([1.0, 2.0, 3.0]), 2.0).tolist() == (
        [False, True, True] if up else [True, True, False]
    )
    assert metric.bound(0.5) == ("≥ 0.5" if up else "≤ 0.5")


@given(st.lists(st.integers(-1000, 1000) | st.none(), min_size=1), st.randoms())
def test_the_weighted_mean_is_that_of_the_repeated_figures(values: list[int | None], chance: Random) -> None:
    """A figure that counts k times is one that stands there k times; what is not a number does not count."""
    weights = [chance.randint(0, 3) for _ in values]
    repeated = [v for v, k in zip(values, weights, strict=True) for _ in range(k) if v is not None]
    figures = np.array([np.nan if value is None else value for value in values])
    (found,) = weighted_mean(figures, np.array([weights], dtype=float))
    assert found == pytest.approx(sum(repeated) / len(repeated)) if repeated else np.isnan(found)


@EVERY_TASK
def test_a_single_answers_judge_is_a_metric(task: Task) -> None:
    """What tells of one answer how good it is, is one of the task's metrics and a mean."""
    judge = task.metric(task.judged)
    assert judge is not None
    assert judge.over is None


def test_every_error_is_tunescales() -> None:
    """The error for measuring nothing can be caught with all others under one base."""
    assert issubclass(MetricError, TuneScaleError)
