"""Short answers: compared by words, several accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.errors import DataError
from tunescale_core.tasks import TASKS
from tunescale_core.tasks.boxed import boxed, last_boxed
from tunescale_core.tasks.short_answer import ShortAnswer, exact, f1, words
from tunescale_core.tasks.squad_v2 import SquadV2
from tunescale_core.tasks.task import Answer, Example, LeftOut, Row

ROW: Row = {"question": "Where is the mill?", "answer": "by the river"}
TASK = ShortAnswer()


@given(st.text(min_size=1), st.text(min_size=1))
def test_an_exact_answer_has_all_its_words(gold: str, said: str) -> None:
    """F1 is 100 where the answer is exact, and lies between 0 and 100 elsewhere."""
    answer = Answer((gold,), said)
    assert 0 <= f1(answer) <= 100
    if exact(answer):
        assert f1(answer) == 100


@given(st.lists(st.sampled_from(["the", "mill", "dam", "by", "river", "a"]), min_size=1).map(" ".join), st.text())
def test_ordinary_answers_score_as_squad_scores_them(gold: str, said: str) -> None:
    """Where normalisation leaves words, F1 and exact match are SQuAD's."""
    answer = Answer((f"{gold} mill",), f"{said} dam")
    theirs = SquadV2().score(answer)
    assert (f1(answer), exact(answer)) == (theirs["f1"], theirs["exact"])


@pytest.mark.parametrize("text", ["A", "a", "?", "-", "The"])
def test_answers_that_normalisation_would_empty_stay_answers(text: str) -> None:
    """A grade, a sign or an article alone is an answer: right where it is said, and wrong where another is."""
    assert words(text)
    assert exact(Answer((text,), text)) == 100
    assert exact(Answer((text,), "an")) == f1(Answer((text,), "an")) == 0
    assert exact(Answer((text,), None)) == f1(Answer((text,), None)) == 0


def test_any_accepted_answer_is_right() -> None:
    """A row that lists several answers accepts each, and teaches the first."""
    found = TASK.example({**ROW, "answer": ["river", " the water ", "river"]}, "answer")
    assert isinstance(found, Example)
    assert found.gold == ("river", "the water")
    assert found.target == "\\boxed{river}"
    assert exact(Answer(found.gold, "Water.")) == 100


def test_an_answer_may_be_a_number() -> None:
    """A number is an answer as it is written."""
    found = TASK.example({**ROW, "answer": 12}, "answer")
    assert isinstance(found, Example)
    assert found.gold == ("12",)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"question": " "}, "empty question"),
        ({"answer": ""}, "empty gold answer"),
        ({"answer": []}, "empty gold answer"),
        ({"answer": None}, "empty gold answer"),
        ({"answer": "$$"}, "gold answer that no box can hold"),
        ({"answer": ["x", " "]}, "empty gold answer"),
    ],
)
def test_rows_without_question_or_answer_are_left_out(changed: dict[str, object], reason: str) -> None:
    """An empty question, no answer, or an empty one among several makes no question."""
    assert TASK.example({**ROW, **changed}, "answer") == LeftOut(reason)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"answer": [1]}, "column 'answer' is not a list of text"),
        ({"answer": float("nan")}, "column 'answer' is float, not str"),
        ({"question": ["a"]}, "column 'question' is list, not str"),
    ],
)
def test_what_is_no_text_is_refused(changed: dict[str, object], said: str) -> None:
    """A question or an answer of another kind is an error that names the column."""
    with pytest.raises(DataError, match=rf"^{said}"):
        TASK.example({**ROW, **changed}, "answer")


@pytest.mark.parametrize(("text", "said"), [("\\boxed{ by it }", "by it"), ("\\boxed{}", None), ("by it", None)])
def test_the_last_box_is_read(text: str, said: str | None) -> None:
    """What the last box holds is the answer; an empty one and none are not readable."""
    assert TASK.parse(text) == said


def test_the_trivial_answer_is_accepted_most_often() -> None:
    """It is the text that most questions accept."""
    assert TASK.trivial([("x", "y"), ("z", "y"), ("z", "z")]) == "y"
    assert TASK.trivial([("river",), ("mill",), ("the Mill.",)]) == "mill"


@given(st.text().filter(lambda text: last_boxed(boxed(text.strip()))))
def test_any_answer_that_is_taught_can_be_right(answer: str) -> None:
    """What a row teaches is read as an accepted answer."""
    found = TASK.example({**ROW, "answer": answer}, "answer")
    assert isinstance(found, Example)
    assert exact(Answer(found.gold, TASK.parse(found.target))) == 100


def test_an_accent_is_one_whoever_wrote_it() -> None:
    """An é of one character is that of two, in a short answer and in a label."""
    for name in ("short_answer", "classification"):
        scores = TASKS[name].score(Answer(("caf\u00e9",), "cafe\u0301"))
        assert scores == TASKS[name].score(Answer(("caf\u00e9",), "caf\u00e9"))
