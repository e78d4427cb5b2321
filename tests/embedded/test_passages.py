"""Generated passages: spans where the row says, and about a third without an answer."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.embedded.passages import RELATIONS, Fact, Passage, draw_passage, squad_row
from tunescale_core.tasks.squad_v2 import SquadV2, exact
from tunescale_core.tasks.task import Answer, Example

SEEDS = st.integers(0, 10**6)


@given(SEEDS)
def test_answers_stand_where_the_row_says(seed: int) -> None:
    """An answerable row's span lies at its offset, in the sentence about the person asked after."""
    example = draw_passage(random.Random(seed))
    row = squad_row(example)
    answers = row["answers"]
    assert isinstance(answers, dict)
    assert len(answers["text"]) == len(answers["answer_start"]) == (0 if example.answer is None else 1)
    for span, start in zip(answers["text"], answers["answer_start"], strict=True):
        assert example.text[start:].startswith(f"{span}.")
        assert example.text[:start].endswith(f"{example.person} {RELATIONS[example.relation][0]} ")


@given(SEEDS)
def test_a_question_has_at_most_one_answer(seed: int) -> None:
    """No two facts of a passage say the same person's same relation."""
    example = draw_passage(random.Random(seed))
    stated = Counter((fact.person, fact.relation) for fact in example.facts)
    assert set(stated.values()) == {1}
    assert (example.answer is None) == ((example.person, example.relation) not in stated)


@given(SEEDS, st.integers(3, 7))
def test_the_number_of_facts_can_be_fixed(seed: int, count: int) -> None:
    """A passage has as many sentences as were asked for."""
    example = draw_passage(random.Random(seed), (count, count))
    assert len(example.facts) == count
    assert example.text.count(".") == count


@given(SEEDS)
def test_an_unanswerable_question_is_about_someone_told_of(seed: int) -> None:
    """Where there is no answer the passage still speaks of the person, so the name alone gives nothing away."""
    example = draw_passage(random.Random(seed))
    assert example.person in example.text


def test_a_third_has_no_answer() -> None:
    """About one question in three cannot be answered."""
    rng = random.Random(0)
    unanswered = sum(draw_passage(rng).answer is None for _ in range(2000))
    assert 600 < unanswered < 735


def test_a_known_passage() -> None:
    """Text, question, answer and what is said of the person are as written by hand."""
    facts = (Fact("Mara", "pet", "a goat"), Fact("Odo", "work", "the mill"), Fact("Mara", "work", "the inn"))
    example = Passage(facts, "Mara", "work")
    assert example.text == "Mara keeps a goat. Odo works at the mill. Mara works at the inn."
    assert example.question == "Where does Mara work?"
    assert example.answer == "the inn"
    assert example.about == (facts[0], facts[2])
    assert Passage(facts, "Odo", "pet").answer is None


@given(SEEDS)
def test_a_row_teaches_the_right_answer(seed: int) -> None:
    """As a SQuAD row, a passage's target parses to an exact match, or abstains where there is no answer."""
    example = draw_passage(random.Random(seed))
    asked = SquadV2().example(squad_row(example), "answer")
    assert isinstance(asked, Example)
    assert asked.gold == (() if example.answer is None else (example.answer,))
    assert exact(Answer(asked.gold, SquadV2().parse(asked.target))) == 1.0
