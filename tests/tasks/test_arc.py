"""ARC: letters read, macro F1 as scikit-learn has it, rows as the data set has them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from tunescale_core.errors import DataError
from tunescale_core.tasks.arc import LETTERS, Arc, confusion, outcome
from tunescale_core.tasks.task import Answer, Example, LeftOut, Row

ANSWERS = st.lists(
    st.builds(Answer, st.sampled_from(LETTERS).map(lambda letter: (letter,)), st.sampled_from([*LETTERS, None])),
    min_size=1,
    max_size=40,
)

ROW: Row = {
    "id": "q1",
    "question": "Which of these is a bird?",
    "choices": {"text": ["oak", "robin", "tea", "iron"], "label": ["A", "B", "C", "D"]},
    "answerKey": "B",
}


def accuracy(answers: list[Answer]) -> float | None:
    return Arc().measure(answers)["accuracy"]


@given(ANSWERS)
def test_macro_f1_is_scikit_learns(answers: list[Answer]) -> None:
    """Macro F1 over A to D agrees with scikit-learn's, unreadable answers and absent letters included."""
    gold = [answer.gold[0] for answer in answers]
    said = [answer.said or "none" for answer in answers]
    theirs = f1_score(gold, said, average="macro", labels=list("ABCD"), zero_division=0)
    assert Arc.metrics[0](answers) == pytest.approx(theirs)


@given(ANSWERS)
def test_the_confusion_table_counts_every_answer_once(answers: list[Answer]) -> None:
    """Each answer falls into one cell, and the unreadable ones into the last column."""
    (table,) = confusion(np.array([outcome(answer) for answer in answers]), np.ones((1, len(answers))))
    assert table.sum() == len(answers)
    assert table[:, -1].sum() == sum(answer.said is None for answer in answers)
    assert sum(table[place][place] for place in range(4)) / len(answers) == pytest.approx(accuracy(answers))


def test_perfect_answers_over_all_letters_score_one() -> None:
    """Where all letters are meant and given rightly, macro F1 and accuracy are 1."""
    answers = [Answer((letter,), letter) for letter in LETTERS]
    assert (Arc.metrics[0](answers), accuracy(answers)) == (1.0, 1.0)


def test_a_known_macro_f1() -> None:
    """Always saying A to one question of each letter gives F1 0.4 for A and 0 for the rest, 0.1 in all."""
    answers = [Answer((letter,), "A") for letter in LETTERS]
    assert Arc.metrics[0](answers) == pytest.approx(0.1)
    assert accuracy(answers) == 0.25


@given(st.lists(st.sampled_from(LETTERS), min_size=1))
def test_an_unreadable_answer_is_never_right(gold: list[str]) -> None:
    """A task full of unreadable answers scores 0 on every metric."""
    measured = Arc().measure([Answer((letter,), None) for letter in gold])
    assert measured == {"macro_f1": 0.0, "accuracy": 0.0, "parse_rate": 0.0}


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("\\boxed{B}", "B"),
        ("\\boxed{b}", "B"),
        ("\\boxed{(B)}", "B"),
        ("\\boxed{ B ) }", "B"),
        ("\\boxed{B.}", "B"),
        ("\\boxed{B. robin}", "B"),
        ("\\boxed{B: robin}", "B"),
        ("\\boxed{(B) robin}", "B"),
        ("\\boxed{\\text{B}}", "B"),
        ("\\boxed{\\textsf{B}}", "B"),
        ("\\boxed{B, robin}", "B"),
        ("\\boxed{A, a robin}", "A"),
        ("\\boxed{B – robin}", "B"),
        ("\\boxed{A, (B)}", None),
        ("\\boxed{A, B and C}", None),
        ("\\boxed{A-D}", None),
        ("\\boxed{B - robin}", "B"),
        ("\\boxed{A, or B}", None),
        ("\\boxed{A – or B}", None),
        ("\\boxed{A, B & C}", None),
        ("\\boxed{A, B/C}", None),
        ("\\boxed{A-B-C-D}", None),
        ("\\boxed{D-glucose}", None),
        ("\\boxed{C-14}", None),
        ("\\boxed{\\mathbf{B}}", "B"),
        ("\\boxed{$B$}", "B"),
        ("\\boxed{A}, no: \\boxed{C}", "C"),
        ("\\boxed{A} \\boxed{", "A"),
        ("B", None),
        ("\\boxed{}", None),
        ("\\boxed{\\text{}}", None),
        ("\\boxed{E}", None),
        ("\\boxed{AB}", None),
        ("\\boxed{A, B}", None),
        ("\\boxed{A robin}", None),
        ("\\boxed{robin}", None),
        ("\\boxed{2}", None),
        ("\\boxed{B", None),
    ],
)
def test_letters_as_models_box_them(text: str, letter: str | None) -> None:
    """A letter counts with brackets, a mark or its option after it; words, other letters and open boxes do not."""
    assert Arc().parse(text) == letter


@given(st.text("\\boxed{}ABCDE(). ", max_size=60) | st.text(max_size=60))
def test_any_text_can_be_parsed(text: str) -> None:
    """No text makes the parsers raise, and they return a letter from A to D or None."""
    assert Arc().parse(text) in {*LETTERS, None}
    assert Arc().plain(text) in {*LETTERS, None}


@pytest.mark.parametrize("labels", [list("ABCD"), list("1234"), list("DCBA")])
@pytest.mark.parametrize("place", range(4))
def test_labels_map_to_letters_by_position(labels: list[str], place: int) -> None:
    """Whatever the row calls its choices, the right one gets the letter of its position."""
    choices = {"text": ["oak", "robin", "tea", "iron"], "label": labels}
    example = Arc().example({**ROW, "choices": choices, "answerKey": labels[place]}, "answer")
    assert isinstance(example, Example)
    assert example.gold == (LETTERS[place],)


def test_a_row_becomes_a_prompt_and_a_target() -> None:
    """The prompt lists the options under their letters, and the target parses to the gold answer."""
    example = Arc().example(ROW, "answer")
    assert isinstance(example, Example)
    assert example.id == "q1"
    assert example.messages[0] == {"role": "system", "content": Arc.system}
    assert example.messages[1]["content"] == "Question: Which of these is a bird?\nA. oak\nB. robin\nC. tea\nD. iron"
    assert Arc().parse(example.target) == example.gold[0] == "B"


@pytest.mark.parametrize("count", [2, 3, 5])
def test_rows_with_another_number_of_options_are_left_out(count: int) -> None:
    """A question of three or five options is passed over, not an error."""
    choices = {"text": list("vwxyz")[:count], "label": list("ABCDE")[:count]}
    assert Arc().example({**ROW, "choices": choices, "answerKey": "A"}, "answer") == LeftOut("not four choices")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"question": " "}, "empty question"),
        ({"choices": {"text": ["oak", "robin", "", "iron"], "label": list("ABCD")}}, "empty choice"),
    ],
)
def test_rows_that_say_nothing_are_left_out(change: dict[str, object], reason: str) -> None:
    """An empty question or choice is passed over, with its reason."""
    assert Arc().example({**ROW, **change}, "answer") == LeftOut(reason)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"choices": None}, "choices"),
        ({"choices": {}}, "choices.text"),
        ({"choices": {"text": "oak", "label": ["A"]}}, "choices.text"),
        ({"choices": {"text": ["oak"], "label": [1]}}, "choices.label"),
        ({"answerKey": "E"}, "answerKey"),
        ({"answerKey": 2}, "answerKey"),
        ({"question": None}, "question"),
        ({"choices": {"text": ["oak"], "label": ["A", "B"]}}, "2 labels for 1 texts"),
        ({"choices": {"text": list("wxyz"), "label": ["A", "B", " ", "D"]}}, "without a label"),
        ({"choices": {"text": list("wxyz"), "label": ["A", "B", None, "D"]}}, "choices.label"),
        ({"choices": {"text": list("wxyz"), "label": list("ABBD")}}, "more than one of the labels"),
        ({"answerKey": ""}, "none of the labels"),
    ],
)
def test_a_malformed_row_is_named(change: dict[str, object], named: str) -> None:
    """A column of the wrong kind, or a key that is no label, raises an error that names it."""
    with pytest.raises(DataError, match=named):
        Arc().example({**ROW, **change}, "answer")


@pytest.mark.parametrize(("said", "score"), [("A", 1.0), ("B", 0.0), (None, 0.0)])
def test_one_answer_scores_by_its_letter(said: str | None, score: float) -> None:
    """The right letter scores 1, a wrong or unreadable one 0."""
    assert Arc().score(Answer(("A",), said))["accuracy"] == score


@given(st.lists(st.sampled_from(LETTERS), min_size=1))
def test_the_trivial_answer_is_the_majority_letter(letters: list[str]) -> None:
    """No single letter is right more often than the trivial one."""
    golds = [(letter,) for letter in letters]
    right = {said: accuracy([Answer(gold, said) for gold in golds]) or 0.0 for said in LETTERS}
    assert right[Arc().trivial(golds)] == max(right.values())
