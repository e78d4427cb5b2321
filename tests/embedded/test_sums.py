"""Worded sums: steps that are true, and rows that teach them."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.embedded.sums import PRETRAINING_LENGTHS, Step, Sum, draw_sum, openmath_row
from tunescale_core.tasks.openmath import OpenMath, is_right
from tunescale_core.tasks.task import Answer, Example

SEEDS = st.integers(0, 10**6)
MEANING = {
    "finds": 1,
    "buys": 1,
    "gets": 1,
    "loses": -1,
    "sells": -1,
    "gives": -1,
}


def worked_out(problem: str) -> int:
    """Work a problem out from its words alone."""
    first, *told, _ = problem.replace("?", ".").split(". ")
    held = int(first.split()[2])
    for sentence in told:
        words = sentence.split()
        if words[2] in {"doubles", "triples"}:
            held *= 2 if words[2] == "doubles" else 3
        else:
            held += MEANING[words[2]] * int(words[-1])
    return held


@given(SEEDS)
def test_the_answer_follows_from_the_words(seed: int) -> None:
    """Whoever works the problem out from its words arrives at its answer."""
    example = draw_sum(random.Random(seed))
    assert worked_out(example.problem) == example.answer


@given(SEEDS)
def test_every_equation_and_check_is_true(seed: int) -> None:
    """All steps are right in figures, link up from the start, keep something held, and can be undone."""
    example = draw_sum(random.Random(seed))
    held = example.start
    for step in example.steps:
        assert step.before == held
        held = step.after
        assert held > 0
        for line in (step.equation, step.check):
            left, sign, right, _, result = line.split()
            value = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}[sign]
            assert value(int(left), int(right)) == int(result)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_number_of_steps_can_be_fixed(count: int) -> None:
    """With all weight on one length, every problem has that many steps."""
    rng = random.Random(0)
    assert {len(draw_sum(rng, {count: 1}).steps) for _ in range(50)} == {count}


def test_pretraining_meets_long_sums_less_often() -> None:
    """Pretraining draws more problems of one step than of three; a task draws them alike."""
    rng = random.Random(0)
    counts = Counter(len(draw_sum(rng, PRETRAINING_LENGTHS).steps) for _ in range(1100))
    assert counts[1] > counts[2] > counts[3] > 100


def test_who_holds_what_is_no_content() -> None:
    """The same figures about another person and other goods fall into the same split."""
    steps = (Step("finds", 5, "+", 3, 8),)
    assert Sum("Tom", "eggs", 5, steps).content() == Sum("Ann", "books", 5, steps).content()
    assert Sum("Tom", "eggs", 5, steps).problem == "Tom has 5 eggs. Then Tom finds 3. How many eggs does Tom have?"


@given(SEEDS, st.sampled_from(["answer", "solution"]))
def test_both_targets_teach_the_right_answer(seed: int, style: str) -> None:
    """As an OpenMath row, a sum can be asked, and what is taught parses to its answer in either style."""
    example = draw_sum(random.Random(seed))
    asked = OpenMath().example(openmath_row(example), style)
    assert isinstance(asked, Example)
    assert is_right(Answer((str(example.answer),), OpenMath().parse(asked.target)))
    assert asked.gold == (str(example.answer),)
