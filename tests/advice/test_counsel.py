"""What is said under constraints, as a whole: the other ways of serving, and what tuning pays back."""

from __future__ import annotations

from tests.making import line
from tests.making import record as made
from tunescale_core.advice.constraints import Constraints, objective_of
from tunescale_core.advice.counsel import Counsel, counsel
from tunescale_core.records.record import Record
from tunescale_core.results.recorded import gathered
from tunescale_core.results.result import from_record
from tunescale_core.tasks import Answer


def asked(model: str, right: int, seconds: float, **fields: object) -> Record:
    """Return a record with so many of forty right, at so many seconds a call."""
    answers = [Answer(("ABCD"[place % 4],), "ABCD"[(place + (place >= right)) % 4]) for place in range(40)]
    lines = [line(one, place=place, seconds=seconds) for place, one in enumerate(answers)]
    return made(model=model, lines=lines, **fields)  # type: ignore[arg-type]


def counselled(*records: Record, serving: str = "eager", max_latency: float | None = None) -> Counsel:
    results = gathered(map(from_record, records), "here")
    objective = objective_of(results, "arc:accuracy", ())
    return counsel(results, Constraints(objective, max_latency=max_latency, serving=serving))


EAGER = (asked("good", 38, 1.0), asked("bad", 10, 0.1))
STATIC = asked("good", 38, 0.2, serving="static")


def test_each_other_way_is_judged_by_its_own_times() -> None:
    """A latency that eager breaks and static keeps: each way is advised by what it measured, and named beside."""
    by_eager = counselled(*EAGER, STATIC, max_latency=0.5)
    assert [one.id for one in by_eager.advice.chosen] == ["bad-base"]
    (static,) = by_eager.others
    assert static.way == "static"
    assert static.advice is not None
    assert [one.id for one in static.advice.chosen] == ["good-base"]


def test_eager_is_one_of_the_others() -> None:
    """Asked for another way, eager is among the others; the way itself is not."""
    found = counselled(*EAGER, STATIC, serving="static", max_latency=0.5)
    assert [one.way for one in found.others] == ["eager"]
    assert found.others[0].advice == counselled(*EAGER, STATIC, max_latency=0.5).advice


def test_results_served_one_way_have_no_others() -> None:
    """Nothing is said of ways that nobody measured."""
    assert counselled(*EAGER).others == ()


def test_a_way_measured_on_other_tasks_has_no_advice() -> None:
    """A way that was not asked what the deployment serves is named without advice."""
    hard = [
        asked("good", 38, 0.2, **fields).model_copy(update={"task": "arc-hard"})  # type: ignore[arg-type]
        for fields in ({}, {"serving": "static"})
    ]
    (static,) = counselled(*EAGER, *hard).others
    assert (static.way, static.advice) == ("static", None)


def test_tuning_is_held_against_each_larger_model() -> None:
    """Every candidate tuned on what is served has its break-even with every larger one."""
    tuned = [asked("small", 38, 0.1, method=one, trained_on="arc", seed=0) for one in ("full", "other")]
    found = counselled(*tuned, asked("large", 38, 1.0))
    assert [(one.tuned.id, one.larger.id) for one in found.paid] == [
        ("small-full-on-arc", "large-base"),
        ("small-other-on-arc", "large-base"),
    ]
