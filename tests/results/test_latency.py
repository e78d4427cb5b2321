"""The split of a latency ratio: parts that add up, and each part alone where only it differs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import line
from tests.making import record as made
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.latency import Anatomy, anatomy, split
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results

TIMES = st.floats(1e-4, 1e3)
ANATOMIES = st.builds(
    lambda first, steps, pace: Anatomy(first + steps * pace, first, steps, 0.0, 0.0, 0.0), TIMES, TIMES, TIMES
)
HERE = Anatomy(latency=1.1, first=0.1, steps=100.0, reasoned=0.0, reasoning_tokens=0.0, truncated=0.0)


@given(ANATOMIES, ANATOMIES)
def test_the_parts_add_up(new: Anatomy, old: Anatomy) -> None:
    """Length, pace and first token sum to the logarithm of the ratio."""
    found = split(new, old)
    assert found.total == pytest.approx(math.log(new.latency / old.latency), abs=1e-6)


@given(ANATOMIES, ANATOMIES)
def test_the_split_is_antisymmetric(new: Anatomy, old: Anatomy) -> None:
    """Turned round, every part changes its sign and nothing else."""
    there, back = split(new, old), split(old, new)
    for part in ("length", "pace", "first"):
        assert getattr(there, part) == pytest.approx(-getattr(back, part), abs=1e-6)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("length", replace(HERE, steps=50.0, latency=0.6)),
        ("pace", replace(HERE, latency=2.1)),
        ("first", replace(HERE, first=0.3, latency=1.3)),
    ],
)
def test_what_alone_differs_alone_counts(part: str, other: Anatomy) -> None:
    """Where two calls differ in one thing, that thing has the whole of the ratio."""
    found = split(other, HERE)
    assert getattr(found, part) == pytest.approx(found.total)
    for rest in {"length", "pace", "first"} - {part}:
        assert getattr(found, rest) == pytest.approx(0, abs=1e-9)


@given(ANATOMIES)
def test_a_candidate_against_itself_is_nothing(one: Anatomy) -> None:
    """The same calls have ratio 1 and no part in it."""
    found = split(one, one)
    assert (found.ratio, found.length, found.first) == (1.0, 0.0, 0.0)
    assert found.pace == pytest.approx(0, abs=1e-12)


def test_answers_of_one_token_have_no_pace() -> None:
    """Where one side never writes a second token, what is not the first token counts as length."""
    single = Anatomy(latency=0.1, first=0.1, steps=0.0, reasoned=0.0, reasoning_tokens=0.0, truncated=0.0)
    found = split(single, HERE)
    assert found.pace == 0.0
    assert found.total == pytest.approx(math.log(0.1 / 1.1))


def test_the_anatomy_is_over_timed_calls() -> None:
    """Seconds and steps are means over the timed examples, reasoning and truncation over all."""
    lines = [
        line(place=0, tokens=5, seconds=1.0, first_token_seconds=0.2),
        line(place=1, tokens=7, seconds=2.0, first_token_seconds=0.4, reasoning_tokens=3),
        line(place=2, tokens=90, seconds=None, first_token_seconds=None, finish="length"),
    ]
    found = anatomy(Results((from_record(made(lines=lines)),)), Candidate("m", "base"), "arc")
    assert found is not None
    assert (found.latency, found.first, found.steps) == (1.5, pytest.approx(0.3), 5.0)
    assert found.pace == pytest.approx(1.2 / 5)
    assert (found.reasoned, found.reasoning_tokens, found.truncated) == pytest.approx((1 / 3, 1.0, 1 / 3))


def test_untimed_calls_have_no_anatomy() -> None:
    """Without a timed call, or without rows, there is nothing to take apart."""
    untimed = made(lines=[line(seconds=None, first_token_seconds=None)])
    for record in (untimed, made(metrics={"macro_f1": 0.5})):
        assert anatomy(Results((from_record(record),)), Candidate("m", "base"), "arc") is None


def test_the_split_reads_as_a_sentence() -> None:
    """The sentence names each factor; they multiply to the ratio."""
    found = split(replace(HERE, steps=50.0, latency=0.6), HERE)
    assert found.sentence == (
        "latency × 0.55 = output length × 0.55, time a token × 1.00, time to the first token × 1.00"
    )
