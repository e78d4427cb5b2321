"""What answering without looking scores, held against candidates either way."""

from __future__ import annotations

import numpy as np
import pytest

from tests.making import line
from tests.making import record as made
from tunescale_core.advice.choice import Chooser
from tunescale_core.advice.constraints import Constraints, objective_of, parse_bar
from tunescale_core.advice.floor import Floor, floor_of, idle_bars
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.tasks import Answer

NUMBERS = [2, 4, 5, 6, 8] * 8


def found(**off: float) -> tuple[Floor, Chooser]:
    """Return the floor of models whose numbers miss the right one by so much; the median misses it by 1.6."""
    records = [
        made(
            model=model,
            task="openmath",
            lines=[
                line(Answer((str(right),), str(right + by)), "openmath", place) for place, right in enumerate(NUMBERS)
            ],
        )
        for model, by in off.items()
    ]
    results = Results(tuple(map(from_record, records)), "here")
    chooser = Chooser(results, Constraints(objective_of(results, "openmath:abs_diff", ()), ()))
    floor = floor_of(chooser.draws, chooser.advice())
    assert floor is not None
    return floor, chooser


def test_a_metric_that_falls_has_its_floor_above() -> None:
    """Where less is better, what misses by more than the median does is below the floor."""
    floor, chooser = found(near=0.5, far=3)
    assert floor.value == pytest.approx(1.6)
    assert [one.id for one in floor.below] == ["far-base"]
    assert floor.told(chooser.advice().chosen) is None
    assert floor.told(floor.below) == (
        "Not surely better for openmath than answering without looking (median number: abs_diff 1.60): far-base."
    )


def test_where_all_are_below_it_is_said_of_none() -> None:
    """Where no candidate is surely better, that is the sentence, whatever is chosen."""
    floor, chooser = found(far=3, further=4)
    assert floor.all_below
    said = "Nothing that was measured is surely better for openmath than answering without looking"
    assert str(floor.told(chooser.advice().chosen)).startswith(said)
    assert str(floor.told(())).startswith(said)


@pytest.mark.parametrize(("bar", "idle"), [("1.7", True), ("1.5", False)])
def test_a_bar_that_not_looking_reaches_is_told(bar: str, *, idle: bool) -> None:
    """A bar above the median's miss is told, one below it is not."""
    _, chooser = found(near=0.5)
    bars = (parse_bar(chooser.results, f"openmath:abs_diff={bar}"),)
    told = idle_bars(chooser.results, Constraints(bars[0], bars))
    assert told == (
        ("The bar openmath abs_diff ≤ 1.7 asks no more than not looking gives: median number scores abs_diff 1.60.",)
        * idle
    )


def test_what_is_right_where_not_looking_is_wrong_is_surely_better_only_beyond_chance() -> None:
    """A model that never abstains is right where always abstaining is not: equal to it but for chance is not above."""
    rng = np.random.default_rng(6)
    above = 0
    for _ in range(60):
        answers = [Answer(("mill",) if one else (), "mill" if one else "dam") for one in rng.random(100) < 0.5]
        lines = [line(one, "squad_v2", place) for place, one in enumerate(answers)]
        results = Results((from_record(made(model="m", task="squad_v2", lines=lines)),), "here")
        chooser = Chooser(results, Constraints(objective_of(results, "squad_v2:f1", ()), ()))
        floor = floor_of(chooser.draws, chooser.advice())
        assert floor is not None
        above += not floor.below
    assert above <= 7
