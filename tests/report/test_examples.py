"""The page's examples: a fixed sample that fits, side by side, with what was said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import line
from tests.making import record as made
from tunescale_core.report.examples import MOST, WIDEST, _spread, samples
from tunescale_core.results.published import reference
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results


def results(count: int, candidates: int = 2, text: str = "\\boxed{A}") -> Results:
    lines = [line(place=place, text=text, prompt=f"question {place}") for place in range(count)]
    records = [made(f"lora-r{rank}", "arc", lines=lines) for rank in range(1, candidates)]
    return Results(tuple(map(from_record, [made(lines=lines), *records])))


@given(st.integers(1, 5000), st.integers(1, 80))
def test_places_are_spread_over_the_data(total: int, most: int) -> None:
    """As many different places as wanted or there are, in order, the first among them."""
    places = _spread(total, most)
    assert len(set(places)) == len(places) == min(total, most)
    assert places == sorted(places)
    assert (places[0], places[-1] < total) == (0, True)


def test_an_example_has_every_candidates_answer() -> None:
    """Prompt and gold stand once, and each candidate's text, answer, tokens, seconds and score beside."""
    (sample,) = samples(results(3, text="<think>a b c</think>\\boxed{A}"))
    assert (sample.task, sample.total, len(sample.examples), sample.measured) == ("arc", 3, 3, 2)
    example = sample.examples[1]
    assert (example["id"], example["prompt"], example["gold"]) == ("1", "question 1", ["A"])
    assert [answer["candidate"] for answer in example["answers"]] == ["m-lora-r1-on-arc", "m-base"]
    answer = example["answers"][0]
    assert (answer["thought"], answer["answer"], answer["score"], answer["judge"]) == ("a b c", "A", 1.0, "accuracy")
    assert (answer["tokens"], answer["seconds"], answer["finish"]) == (4, 0.5, "stop")


def test_the_sample_keeps_to_its_budget() -> None:
    """Long answers leave fewer examples, but never none; short ones are capped in number."""
    (few,) = samples(results(50, text="x" * 5000), budget=60_000)
    assert 1 <= len(few.examples) < 10
    (one,) = samples(results(50, text="x" * 5000), budget=10)
    assert len(one.examples) == 1
    (many,) = samples(results(MOST + 40))
    assert (len(many.examples), many.total) == (MOST, MOST + 40)


def test_too_many_candidates_are_narrowed() -> None:
    """Beyond what fits side by side the best are kept, the untuned model among them, and the page can say so."""
    (sample,) = samples(results(2, candidates=WIDEST + 10))
    assert (len(sample.candidates), sample.measured) == (WIDEST, WIDEST + 10)
    assert "m-base" in sample.candidates


def test_other_questions_are_not_put_beside() -> None:
    """A candidate that was asked something else at that place has no answer there."""
    base = made(lines=[line(place=place) for place in range(3)])
    other = made("full", "arc", lines=[line(place=place) for place in (0, 5, 2)])
    (sample,) = samples(Results((from_record(base), from_record(other))))
    asked = next(example for example in sample.examples if len(example["answers"]) == 1)
    assert asked["id"] in {"1", "5"}


def test_published_results_have_no_examples() -> None:
    """A table has none to show."""
    assert samples(reference("paper")) == ()


@pytest.mark.parametrize("length", [10, 20_000])
def test_long_texts_are_cut(length: int) -> None:
    """A text longer than the page takes is cut, a short one whole."""
    (sample,) = samples(results(1, text="y" * length))
    assert len(sample.examples[0]["answers"][0]["text"]) == min(length, 6000)
