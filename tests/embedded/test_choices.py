"""Four-way questions: one right option, and shares by form and fame."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.embedded.choices import LETTERS, FourWay, arc_row, draw_four_way
from tunescale_core.embedded.world import KINDS, THINGS, article
from tunescale_core.tasks import Example
from tunescale_core.tasks.arc import Arc

WORLD = {thing.name: thing for thing in THINGS}
SEEDS = st.integers(0, 10**6)


def fits(question: str, option: str) -> bool:
    """Tell from the world's table whether an option answers a question."""
    if question.startswith("What is "):
        named = question.removeprefix("What is ").removesuffix("?").split(" ", 1)[1]
        return WORLD[named].kind == option
    thing = WORLD[option]
    asked = question.removeprefix("Which of these ").removesuffix("?")
    return asked in {f"comes from {thing.region}", f"is {article(thing.kind)}", KINDS[thing.kind][0]}


@given(SEEDS, st.sampled_from([0.0, 1.0]))
def test_exactly_one_option_is_right(seed: int, zipf: float) -> None:
    """By the world's table, the option marked right answers the question and no other does."""
    example = draw_four_way(random.Random(seed), zipf=zipf)
    assert [fits(example.question, option) for option in example.options].count(True) == 1
    assert fits(example.question, example.options[example.answer])
    assert len(set(example.options)) == len(LETTERS)


@pytest.mark.parametrize("form", ["member", "kind", "feature", "origin"])
def test_a_form_can_be_drawn_alone(form: str) -> None:
    """With all weight on one form, only its questions are drawn, with remarks on all options or none."""
    starts = {"member": "Which of these is a", "kind": "What is a", "feature": "Which of these ", "origin": "Which of"}
    rng = random.Random(0)
    drawn = [draw_four_way(rng, {form: 1}) for _ in range(50)]
    assert all(example.question.startswith(starts[form]) for example in drawn)
    assert {len(example.remarks) for example in drawn} == ({0} if form == "kind" else {4})
    assert all(("comes from" in example.question) == (form == "origin") for example in drawn)


def test_right_answers_are_spread_over_the_letters() -> None:
    """Always giving one letter is right in about a quarter of the questions."""
    rng = random.Random(0)
    counts = Counter(draw_four_way(rng).letter for _ in range(2000))
    assert set(counts) == set(LETTERS)
    assert all(430 < count < 570 for count in counts.values())


def test_fame_decides_what_is_met() -> None:
    """With Zipf's weights the best known are asked after far more often than the least; without, alike."""
    shares = []
    for zipf in (0.0, 1.0):
        rng = random.Random(0)
        fame = Counter(WORLD[o].fame for _ in range(500) for o in draw_four_way(rng, {"member": 1}, zipf).options)
        shares.append(fame[1.0] / fame[0.1])
    assert 0.7 < shares[0] < 1.4
    assert shares[1] > 5


@given(SEEDS, st.permutations(range(4)))
def test_the_order_of_options_is_no_content(seed: int, order: list[int]) -> None:
    """A question with its options in another order falls into the same split."""
    example = draw_four_way(random.Random(seed))
    other = FourWay(example.question, tuple(example.options[i] for i in order), 0, "", ())
    assert other.content() == example.content()


@given(SEEDS)
def test_a_row_asks_what_was_drawn(seed: int) -> None:
    """As an ARC row, a question keeps its options in order and its right letter."""
    example = draw_four_way(random.Random(seed))
    asked = Arc().example(arc_row(example), "answer")
    assert isinstance(asked, Example)
    assert asked.gold == (example.letter,)
    assert f"{example.letter}. {example.options[example.answer]}" in asked.messages[1]["content"].split("\n")
