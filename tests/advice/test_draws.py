"""What each candidate has in every resample: drawn together, over seeds, on the slowest task served."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.making import COST, line
from tests.making import record as made
from tunescale_core.advice.constraints import Bar, Constraints, LatencyStat
from tunescale_core.advice.draws import Draws
from tunescale_core.errors import ResultsError
from tunescale_core.records.record import Record
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.published import reference
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.stats.resampling import RESAMPLES
from tunescale_core.tasks import TASKS, Answer

BASE = Candidate("m", "base")
FULL = Candidate("m", "full", "arc")
LETTERS = "ABCD"


def bar(task: str, metric: str, value: float | None = None) -> Bar:
    found = TASKS[task].metric(metric)
    assert found is not None
    return Bar(task, found, value)


ACCURACY = bar("arc", "accuracy")
BOTH = Constraints(ACCURACY, (bar("openmath", "abs_diff", 10),))


def arc(right: Sequence[bool], seconds: Sequence[float | None] | None = None, **fields: object) -> Record:
    """Return a record that is right where told, timed where told."""
    times = seconds or [0.5] * len(right)
    answers = [Answer((LETTERS[place % 4],), LETTERS[(place + (not hit)) % 4]) for place, hit in enumerate(right)]
    lines = [line(one, place=place, seconds=times[place]) for place, one in enumerate(answers)]
    return made(lines=lines, **fields)  # type: ignore[arg-type]


def sums(off: Sequence[int], seconds: float = 0.5, **fields: object) -> Record:
    """Return a record whose numbers miss the right one by so much."""
    answers = [Answer(("5",), str(5 + by)) for by in off]
    lines = [line(one, "openmath", place, seconds=seconds) for place, one in enumerate(answers)]
    return made(task="openmath", lines=lines, **fields)  # type: ignore[arg-type]


def draws(constraints: Constraints, *records: Record) -> Draws:
    return Draws(Results(tuple(map(from_record, records)), "here"), constraints)


def test_only_what_was_measured_on_every_task_is_a_candidate() -> None:
    """A candidate that one of the tasks served was not asked is left out."""
    found = draws(BOTH, arc([True]), sums([0]), arc([True], method="full", trained_on="arc"))
    assert found.candidates == [BASE]


def test_no_candidate_is_an_error() -> None:
    """Where nothing was measured on all the tasks served, one line says on which."""
    with pytest.raises(ResultsError, match=r"^nothing in here was measured on arc and openmath$"):
        draws(BOTH, arc([True]))


def test_a_point_is_the_mean_over_seeds() -> None:
    """A metric's value is the mean of its seeds' values."""
    tuned = {"method": "full", "trained_on": "arc"}
    found = draws(Constraints(ACCURACY), *(arc([True, hit], seed=seed, **tuned) for seed, hit in enumerate((1, 0))))
    assert found.point(FULL, ACCURACY) == 0.75


def test_a_metric_that_was_not_measured_is_an_error() -> None:
    """A published table has no accuracy beside the primary metric, and says so in one line."""
    found = Draws(reference("paper"), Constraints(ACCURACY))
    with pytest.raises(ResultsError, match=r"^Qwen3-0\.6B-base has no accuracy for arc in .*paper_table1\.csv$"):
        found.point(Candidate("Qwen3-0.6B", "base"), ACCURACY)


def test_candidates_are_drawn_together() -> None:
    """Two candidates that answered alike have the same quality in every resample, and another latency."""
    right = [True, False, True, True, False]
    found = draws(Constraints(ACCURACY), arc(right), arc(right, [0.1] * 5, model="n"))
    mine, theirs = (found.quality(one, ACCURACY) for one in found.candidates)
    assert mine.shape == (RESAMPLES,)
    assert np.array_equal(mine, theirs)
    assert np.std(mine) > 0
    assert [found.told_latency(one) for one in found.candidates] == pytest.approx([0.5, 0.1])


def test_a_published_table_has_point_values_alone() -> None:
    """The paper's table is not resampled: one draw of each figure, the figure itself."""
    f1 = bar("arc", "macro_f1")
    found = Draws(reference("paper"), Constraints(f1))
    larger = Candidate("Qwen3-1.7B", "base")
    assert (found.resampled, found.number, found.examples) == (False, 1, 0)
    assert found.quality(larger, f1).tolist() == [0.7986]
    assert found.told_latency(larger) == 3.4025
    assert found.memory(larger) is None
    assert (found.cost(larger), found.cost(Candidate("Qwen3-0.6B", "full", "arc"))) == (0.0, None)


@pytest.mark.parametrize("stat", ["median", "p95", "p99"])
def test_a_published_mean_is_no_other_statistic(stat: LatencyStat) -> None:
    """The paper prints mean latencies, from which nothing follows for a median or a percentile."""
    found = Draws(reference("paper"), Constraints(bar("arc", "macro_f1"), stat=stat))
    assert found.latency(Candidate("Qwen3-1.7B", "base")) is None


def test_latency_is_the_slowest_tasks() -> None:
    """A deployment is as slow as on the task where it is slowest."""
    found = draws(BOTH, arc([True] * 3), sums([0] * 3, 2.0))
    assert found.told_latency(BASE) == pytest.approx(2.0)


def test_an_untimed_task_leaves_latency_unknown() -> None:
    """Where one task served was not timed, nothing is known of the slowest."""
    found = draws(BOTH, arc([True], [None]), sums([0]))
    assert found.told_latency(BASE) is None


@pytest.mark.parametrize(("stat", "least"), [("p95", 59), ("p99", 299)])
def test_percentiles_need_timed_examples(stat: LatencyStat, least: int) -> None:
    """A percentile is known from so many timed examples on, however many were asked."""
    for timed, known in ((least - 1, False), (least, True)):
        times = [0.5] * timed + [None] * 10
        found = draws(Constraints(ACCURACY, stat=stat), arc([True] * len(times), times))
        assert (found.told_latency(BASE) == 0.5) is known


def test_the_median_does_not_follow_an_outlier() -> None:
    """Over eleven calls of which one is slow, the median stays with the others and the mean does not."""
    times = [0.5] * 10 + [50.0]
    means = [
        draws(Constraints(ACCURACY, stat=stat), arc([True] * 11, times)).told_latency(BASE)
        for stat in ("mean", "median")
    ]
    assert means[0] == pytest.approx(5, rel=0.1)
    assert means[1] == pytest.approx(0.5, rel=0.1)


def test_the_median_told_is_the_records() -> None:
    """Of an even number of calls it is between the middle two, as the record has it."""
    found = draws(Constraints(ACCURACY, stat="median"), arc([True] * 2, [0.5, 1.5]))
    assert found.told_latency(BASE) == found.results.cells[0].record.summary.median_latency == 1.0  # type: ignore[union-attr]


def test_a_percentile_is_told_as_it_was_measured() -> None:
    """A machine that drifts widens what is drawn, and leaves what is told where it was measured."""
    tuned = made("full", "arc", lines=[line(place=n, seconds=2.0, first_token_seconds=0.4) for n in range(60)])
    for stat in ("median", "p95"):
        found = draws(Constraints(ACCURACY, stat=stat), arc([True] * 60, [0.5] * 60), tuned)
        drawn, steady = (found.latency(BASE, steady=steady) for steady in (False, True))
        assert drawn is not None
        assert steady is not None
        known = np.isfinite(steady)  # a p95 of sixty may lie beyond all of them
        assert known.mean() > 0.95
        assert drawn[known].std() > 0.1
        assert found.told_latency(BASE) == steady[known].max() == steady[known].min() == 0.5


def test_memory_is_the_peak_over_the_cells_served() -> None:
    """The largest cell counts, and a cell without a measurement leaves the peak unknown."""
    assert draws(BOTH, arc([True], peak_memory_bytes=3), sums([0], peak_memory_bytes=5)).memory(BASE) == 5
    assert draws(BOTH, arc([True], peak_memory_bytes=3), sums([0])).memory(BASE) is None


def test_cost_is_the_trainings() -> None:
    """An untuned model costs nothing, a tuned one its training's seconds, and without them that is not known."""
    tuned = {"method": "full", "trained_on": "arc"}
    known = draws(Constraints(ACCURACY), arc([True]), arc([True], **tuned))
    assert (known.cost(BASE), known.cost(FULL)) == (0.0, COST.seconds)
    assert draws(Constraints(ACCURACY), arc([True], **tuned, cost=None)).cost(FULL) is None
