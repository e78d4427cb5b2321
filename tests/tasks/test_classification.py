"""Classification: macro F1 as scikit-learn has it, whatever the labels; rows as they come."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from tunescale_core.errors import DataError, MetricError
from tunescale_core.tasks import classification
from tunescale_core.tasks.boxed import boxed, last_boxed
from tunescale_core.tasks.classification import Classification, code, macro_f1, outcome, same
from tunescale_core.tasks.task import Answer, Example, LeftOut, Row

LABELS = ["billing", "access", "shipping", "other things"]
ANSWERS = st.lists(
    st.builds(
        Answer, st.sampled_from(LABELS).map(lambda label: (label,)), st.sampled_from([*LABELS, "no such label", None])
    ),
    min_size=1,
    max_size=40,
)
ROW: Row = {"id": 7, "text": "Where is my parcel?", "label": "shipping"}
TASK = Classification()


def example(**changed: object) -> Example:
    found = TASK.example({**ROW, **changed}, "answer")
    assert isinstance(found, Example)
    return found


@given(ANSWERS)
def test_macro_f1_is_scikit_learns_over_the_labels_that_are_right(answers: list[Answer]) -> None:
    """Macro F1 agrees with scikit-learn's over the gold labels; unreadable answers and unknown labels are misses."""
    gold = [answer.gold[0] for answer in answers]
    said = [answer.said or "none" for answer in answers]
    theirs = f1_score(gold, said, average="macro", labels=sorted(set(gold)), zero_division=0)
    assert TASK.metrics[0](answers) == pytest.approx(theirs)


@given(ANSWERS, st.randoms())
def test_a_resample_counts_as_the_answers_that_it_repeats(answers: list[Answer], chance: object) -> None:
    """Under a row of weights macro F1 is that of the answers written so often, labels that are lost left out."""
    weights = [chance.randint(0, 3) for _ in answers]  # type: ignore[attr-defined]
    weights[0] = 1
    repeated = [answer for answer, times in zip(answers, weights, strict=True) for _ in range(times)]
    figures = np.array([outcome(answer) for answer in answers])
    (found,) = macro_f1(figures, np.array([weights], dtype=float))
    gold = [answer.gold[0] for answer in repeated]
    said = [answer.said or "none" for answer in repeated]
    labels = sorted({answer.gold[0] for answer in answers} & {*gold, *said})
    assert found == pytest.approx(f1_score(gold, said, average="macro", labels=labels, zero_division=0))


@given(st.text(min_size=1), st.text(min_size=1))
def test_only_case_and_white_space_make_no_other_label(one: str, other: str) -> None:
    """Two labels are one just where they differ in case or white space alone, and then have one code."""
    assert same(f"  {one}\n") == same(one)
    if same(one) == same(other):
        assert code(one) == code(other)
    answer = Answer((one,), other)
    assert TASK.score(answer)["accuracy"] == float(same(one) == same(other))


def test_labels_whose_codes_meet_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two labels cannot be told apart, measuring is an error that names both, not a wrong figure."""
    monkeypatch.setattr(classification, "code", lambda _: 5)
    with pytest.raises(MetricError, match=r"^label 'access' cannot be told from 'billing' here: rename one of them$"):
        TASK.measure([Answer(("billing",), "billing"), Answer(("access",), "access")])


def test_a_row_becomes_a_question_and_its_box() -> None:
    """The text is what is asked, the label what is taught; the id is the row's."""
    found = example()
    assert found.messages[-1]["content"] == "Where is my parcel?"
    assert (found.id, found.gold, found.target, found.group) == ("7", ("shipping",), "\\boxed{shipping}", "")


def test_labels_may_be_numbers() -> None:
    """A label that is a number is taught as it is written."""
    assert example(label=3).gold == ("3",)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"text": " "}, "empty text"),
        ({"text": None}, "empty text"),
        ({"label": ""}, "empty label"),
        ({"label": "  "}, "empty label"),
        ({"label": None}, "empty label"),
    ],
)
def test_rows_without_text_or_label_are_left_out(changed: dict[str, object], reason: str) -> None:
    """An empty text or label makes no question."""
    assert TASK.example({**ROW, **changed}, "answer") == LeftOut(reason)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"label": "$"}, r"column 'label' is '\$', of which nothing is read from"),
        ({"label": float("nan")}, "column 'label' is float, not str"),
        ({"label": ["a"]}, "column 'label' is list, not str"),
    ],
)
def test_what_is_no_text_is_refused(changed: dict[str, object], said: str) -> None:
    """A text or a label of another kind is an error that names the column."""
    with pytest.raises(DataError, match=rf"^{said}"):
        TASK.example({**ROW, **changed}, "answer")


def test_a_missing_column_is_named() -> None:
    """A row without a label says so, and what it has."""
    with pytest.raises(DataError, match=r"^no column 'label' \(it has: text\)$"):
        TASK.example({"text": "a"}, "answer")


def test_rows_of_one_group_are_not_independent() -> None:
    """Rows that share a group share it as examples, and those of another do not."""
    one, two, other = (example(id=place, group=group).group for place, group in ((1, "u1"), (2, "u1"), (3, 9)))
    assert one == two != other
    assert one
    assert other


@pytest.mark.parametrize(
    ("solution", "target"),
    [
        ("It asks for a parcel.", "It asks for a parcel.\n\\boxed{shipping}"),
        ("A parcel: \\boxed{shipping}", "A parcel: \\boxed{shipping}"),
    ],
)
def test_a_worked_solution_can_be_taught(solution: str, target: str) -> None:
    """With the style "solution" the row's reasoning comes before the box, unless it holds one."""
    found = TASK.example({**ROW, "solution": solution}, "solution")
    assert isinstance(found, Example)
    assert found.target == target


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\\boxed{Billing}", "Billing"),
        ("so \\boxed{\\text{ access }}", "access"),
        ("\\boxed{ }", None),
        ("billing", None),
    ],
)
def test_the_last_box_is_read(text: str, said: str | None) -> None:
    """What the last box holds is the label; an empty box and no box are not readable."""
    assert TASK.parse(text) == said


@given(st.text().filter(lambda text: last_boxed(boxed(text.strip()))))
def test_any_label_that_is_taught_can_be_right(label: str) -> None:
    """What a row teaches is read as its own label, be there braces, backslashes or dollars in it."""
    found = TASK.example({**ROW, "label": label}, "answer")
    assert isinstance(found, Example)
    assert TASK.score(Answer(found.gold, TASK.parse(found.target)))["accuracy"] == 1


def test_a_label_is_counted_however_it_is_spelt() -> None:
    """The majority is of labels, not of spellings."""
    golds = [("access",), ("Billing",), ("access",), ("billing",), ("BILLING ",)]
    assert TASK.trivial(golds) == "Billing"


def test_the_trivial_answer_is_the_majority_label() -> None:
    """Of equals it is the first."""
    assert TASK.trivial([("a",), ("b",), ("b",), ("a",)]) == "a"
    assert TASK.trivial([("a",), ("b",), ("b",)]) == "b"
