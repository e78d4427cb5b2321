"""OpenMath: differences from the gold number, and which rows can be asked."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.errors import DataError, MetricError
from tunescale_core.tasks.openmath import TOLERANCE, OpenMath, difference, is_right
from tunescale_core.tasks.task import Answer, Example, LeftOut, Row, weighted_median

ROW: Row = {"problem": "What is 2 + 3?", "generated_solution": "2 + 3 = 5\n\\boxed{5}", "expected_answer": "5"}
GSM8K: Row = {
    "question": "Natalia sold clips to 48 friends, and half as many later. How many in all?",
    "answer": "She sold 48/2 = <<48/2=24>>24 later.\nIn all 48+24 = <<48+24=72>>72.\n#### 72",
}
NUMBERS = st.floats(-1e9, 1e9)


@given(NUMBERS, NUMBERS)
def test_the_difference_is_absolute(gold: float, said: float) -> None:
    """The difference is |said - gold|, and the answer is right within the tolerance alone."""
    answer = Answer((repr(gold),), repr(said))
    assert difference(answer) == abs(said - gold)
    assert is_right(answer) == (abs(said - gold) <= TOLERANCE)


@given(NUMBERS)
def test_silence_counts_as_zero_but_is_never_right(gold: float) -> None:
    """An unreadable answer costs |gold|, and is wrong even where the gold answer is 0."""
    answer = Answer((repr(gold),), None)
    assert difference(answer) == abs(gold)
    assert not is_right(answer)


def test_silence_at_gold_zero_is_wrong() -> None:
    """Where 0 is right, saying nothing has no difference and yet is not accurate."""
    assert OpenMath().score(Answer(("0",), None)).items() >= {"abs_diff": 0.0, "accuracy": 0.0}.items()
    assert OpenMath().score(Answer(("0",), "0")).items() >= {"abs_diff": 0.0, "accuracy": 1.0}.items()


@pytest.mark.parametrize(
    ("gold", "said", "right"),
    [
        ("0.75", "\\frac{3}{4}", True),
        ("\\frac{1}{3}", "0.3333", True),
        ("\\frac{1}{3}", "0.333", False),
        ("1234", "1,234", True),
        ("50\\%", "50", True),
        ("5", "-5", False),
        ("5", "5.00009", True),
        ("5", "5.0002", False),
    ],
)
def test_an_answer_is_right_however_it_is_written(gold: str, said: str, *, right: bool) -> None:
    """Numbers are compared by value within 1e-4, not by how they are written."""
    assert is_right(Answer((gold,), said)) is right


def test_a_gold_answer_that_is_no_number_is_infinitely_far() -> None:
    """Where the gold answer cannot be read, no answer is right."""
    assert difference(Answer(("x + y",), "5")) == math.inf
    assert not is_right(Answer(("x + y",), None))


def test_known_metrics() -> None:
    """Differences 0, 2 and 7 with one unread give the mean, the median, the log mean and the shares."""
    measured = OpenMath().measure([Answer(("5",), "5"), Answer(("5",), "3"), Answer(("7",), None)])
    assert measured == {
        "abs_diff": pytest.approx(3.0),
        "accuracy": pytest.approx(1 / 3),
        "median_diff": pytest.approx(2.0),
        "log_diff": pytest.approx((math.log(3) + math.log(8)) / 3),
        "parse_rate": pytest.approx(2 / 3),
    }


def test_less_difference_is_better() -> None:
    """The primary metric improves downward, accuracy upward."""
    assert OpenMath().primary.name == "abs_diff"
    assert OpenMath().primary.improves(1.0, 2.0)
    accuracy = OpenMath().metric("accuracy")
    assert accuracy is not None
    assert accuracy.improves(0.5, 0.4)


def test_no_answers_are_an_error() -> None:
    """Measuring nothing raises instead of scoring 0."""
    with pytest.raises(MetricError, match="abs_diff"):
        OpenMath().measure([])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\\boxed{5}", "5"),
        ("so \\boxed{ 1,234 }.", "1,234"),
        ("\\boxed{\\frac{3}{4}}", "\\frac{3}{4}"),
        ("\\boxed{\\text{5}}", "5"),
        ("\\boxed{4} no, \\boxed{5}", "5"),
        ("\\boxed{4} no, \\boxed{5", "4"),
        ("5", None),
        ("\\boxed{}", None),
        ("\\boxed{five}", None),
        ("\\boxed{1, 2}", None),
        ("\\boxed{1e999}", None),
    ],
)
def test_numbers_as_models_box_them(text: str, said: str | None) -> None:
    """The last complete box answers where it holds one number."""
    assert OpenMath().parse(text) == said


@given(st.text("\\boxed{}0123456789/-.,frac ", max_size=60) | st.text(max_size=60))
def test_any_text_can_be_parsed_and_scored(text: str) -> None:
    """No text makes the parsers raise, and what they read scores a finite difference."""
    for said in (OpenMath().parse(text), OpenMath().plain(text)):
        assert math.isfinite(difference(Answer(("5",), said)))


@given(st.integers(-(10**9), 10**9), st.sampled_from(["{}", "{:,}", "\\frac{{{}}}{{7}}", "{}\\%"]))
def test_the_taught_answer_is_right(value: int, layout: str) -> None:
    """What tuning teaches, parsed, scores as right."""
    example = OpenMath().example({**ROW, "expected_answer": layout.format(value)}, "answer")
    assert isinstance(example, Example)
    assert is_right(Answer(example.gold, OpenMath().parse(example.target)))


def test_the_style_chooses_the_target() -> None:
    """Style "answer" teaches the box alone, "solution" the worked solution; the prompt is the same."""
    answer, solution = (OpenMath().example(ROW, style) for style in ("answer", "solution"))
    assert isinstance(answer, Example)
    assert isinstance(solution, Example)
    assert answer.target == "\\boxed{5}"
    assert solution.target == ROW["generated_solution"]
    assert answer.messages == solution.messages
    assert answer.messages[1] == {"role": "user", "content": "What is 2 + 3?"}


def test_identity_comes_from_the_problem() -> None:
    """Two rows have the same id just when they ask the same problem."""
    rows = [ROW, {**ROW, "expected_answer": "6"}, {**ROW, "problem": "What is 2 + 4?"}]
    examples = [OpenMath().example(row, "answer") for row in rows]
    ids = [example.id for example in examples if isinstance(example, Example)]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("gold", ["x + 1", "(1, 2)", "\\text{Monday}", "\\frac{1}{0}"])
def test_rows_without_one_number_are_left_out(gold: str) -> None:
    """A row whose gold answer is not one number is passed over, not an error."""
    asked = OpenMath().example({**ROW, "expected_answer": gold}, "answer")
    assert asked == LeftOut("gold answer is not a number")


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"problem": " "}, "empty question"), ({"expected_answer": ""}, "empty gold answer")],
)
def test_rows_that_say_nothing_are_left_out(change: dict[str, object], reason: str) -> None:
    """An empty problem or gold answer is passed over, with its reason."""
    assert OpenMath().example({**ROW, **change}, "answer") == LeftOut(reason)


def test_gsm8ks_columns_are_read() -> None:
    """A row of GSM8K asks its question, and its gold answer is what follows the last line's mark."""
    example = OpenMath().example(GSM8K, "answer")
    assert isinstance(example, Example)
    assert example.messages[1]["content"] == GSM8K["question"]
    assert (example.gold, example.target) == (("72",), "\\boxed{72}")


def test_an_empty_solution_teaches_nothing() -> None:
    """Where solutions are taught a row with an empty one is left out; where answers are, it is a row like any."""
    row = ROW | {"generated_solution": " "}
    assert OpenMath().example(row, "solution") == LeftOut("empty solution")
    assert isinstance(OpenMath().example(row, "answer"), Example)


def test_gsm8ks_solution_ends_in_the_box() -> None:
    """Style "solution" teaches GSM8K's steps without the calculator's notes, the box in the last line's place."""
    example = OpenMath().example(GSM8K, "solution")
    assert isinstance(example, Example)
    assert example.target == "She sold 48/2 = 24 later.\nIn all 48+24 = 72.\n\\boxed{72}"


@given(st.integers(-(10**9), 10**9), st.sampled_from(["{}", "{:,}", " {} "]), st.sampled_from(["answer", "solution"]))
def test_what_gsm8k_teaches_is_right(value: int, layout: str, style: str) -> None:
    """Whatever the number and the style, what tuning teaches of a GSM8K row parses to its answer."""
    answer = f"So it is <<{value}={value}>>{value}.\n####{layout.format(value)}"
    example = OpenMath().example({**GSM8K, "answer": answer}, style)
    assert isinstance(example, Example)
    assert is_right(Answer((str(value),), OpenMath().parse(example.target)))
    assert "<<" not in example.target


@pytest.mark.parametrize("answer", ["72", "#### 72\nThat is all.", ""])
def test_a_gsm8k_row_without_its_mark_is_an_error(answer: str) -> None:
    """An answer whose last line does not state the number names its column."""
    with pytest.raises(DataError, match=r"^column 'answer' does not end in a line '#### NUMBER'$"):
        OpenMath().example({**GSM8K, "answer": answer}, "answer")


@pytest.mark.parametrize("missing", ["problem", "expected_answer", "generated_solution"])
def test_a_missing_column_is_named(missing: str) -> None:
    """A row without a column that its style needs raises an error that names the column."""
    row = {name: value for name, value in ROW.items() if name != missing}
    with pytest.raises(DataError, match=missing):
        OpenMath().example(row, "solution")


def test_style_answer_needs_no_solution() -> None:
    """A row without a worked solution still teaches its answer."""
    row = {name: value for name, value in ROW.items() if name != "generated_solution"}
    assert isinstance(OpenMath().example(row, "answer"), Example)


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30))
def test_the_trivial_answer_is_the_best_single_number(numbers: list[int]) -> None:
    """No other of the right numbers, said always, has a smaller mean absolute difference."""
    golds = [(str(number),) for number in numbers]
    metric = OpenMath().primary

    def distance(said: str) -> float:
        return metric([Answer(gold, said) for gold in golds]) or 0.0

    assert distance(OpenMath().trivial(golds)) == pytest.approx(min(distance(str(number)) for number in numbers))


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=12), st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_the_weighted_median_is_that_of_the_repeated_answers(numbers: list[int], weights: list[int]) -> None:
    """An example that counts k times is one that stands there k times."""
    figures, counts = np.array(numbers, dtype=float), np.array([weights[: len(numbers)]])
    if counts.sum():
        expected = np.median(np.repeat(figures, counts[0]))
        assert weighted_median(figures, counts.astype(float))[0] == expected
