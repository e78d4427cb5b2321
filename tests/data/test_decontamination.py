"""Decontamination: copies are always found, strangers never, and the time is linear in the rows."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.data import decontamination
from tunescale_core.data.decontamination import HeldOut, words
from tunescale_core.tasks import TASKS, Example

OURS = st.lists(st.sampled_from("abcde"), max_size=12).map(" ".join)
THEIRS = st.lists(st.sampled_from("vwxyz"), min_size=1, max_size=12).map(" ".join)
LENGTHS = st.integers(2, 14)


def asking(text: str) -> Example:
    return Example("q", TASKS["openmath"].prompt(text), ("1",), "\\boxed{1}")


def found(train: list[str], held_out: list[str], n: int) -> list[bool]:
    known = HeldOut(map(asking, held_out), n)
    return [known.meets(asking(text)) for text in train]


@given(st.lists(st.text(max_size=30) | OURS, min_size=1, max_size=6), LENGTHS)
def test_a_copied_row_is_always_found(texts: list[str], n: int) -> None:
    """Whatever it says and however short it is, a row that is held out is found among training rows."""
    assert found(texts, texts, n) == [True] * len(texts)


@given(st.lists(THEIRS, max_size=6), st.lists(OURS, max_size=6), LENGTHS)
def test_rows_without_a_word_in_common_never_overlap(train: list[str], held_out: list[str], n: int) -> None:
    """Where training and evaluation share no word, no row is left out."""
    assert found(train, held_out, n) == [False] * len(train)


@given(st.lists(OURS, min_size=1, max_size=6), st.lists(OURS, max_size=6))
def test_a_longer_n_finds_no_more(train: list[str], held_out: list[str]) -> None:
    """What shares n + 1 words on end shares n of them, so that the rows found only become fewer."""
    by_n = [found(train, held_out, n) for n in range(2, 15)]
    assert all(shorter or not longer for pair in pairwise(by_n) for shorter, longer in zip(*pair, strict=True))


@given(st.lists(OURS, max_size=6), st.lists(OURS, max_size=6), LENGTHS)
def test_it_is_what_comparing_every_pair_finds(train: list[str], held_out: list[str], n: int) -> None:
    """The look-up agrees with holding every run of n words against every held-out text."""

    def shares(one: str, other: str) -> bool:
        runs = [one.split()[start : start + n] for start in range(len(one.split()) - n + 1)]
        return one == other or any(f" {' '.join(run)} " in f" {other} " for run in runs)

    assert found(train, held_out, n) == [any(shares(one, other) for other in held_out) for one in train]


@given(OURS, OURS, LENGTHS)
def test_case_and_punctuation_do_not_hide_a_copy(text: str, rest: str, n: int) -> None:
    """A question in capitals and with other marks, in a longer text, is found where it has n words."""
    hidden = f"{rest}... {text.upper().replace(' ', ', ')}!"
    assert found([hidden], [text], n)[0] or len(text.split()) < n


@pytest.mark.parametrize(
    ("train", "held_out", "overlap"),
    [
        ("what is two plus three", "what is two plus three", True),
        ("What is two, plus three?", "what is two plus three", True),
        ("tell me what is two plus three", "what is two plus three", False),
        ("what is two plus three", "tell me what is two plus three", False),
        ("→ ?", "→ ?", True),
        ("→ ?", "→ !", False),
    ],
)
def test_a_text_shorter_than_n_is_found_as_a_whole_alone(train: str, held_out: str, *, overlap: bool) -> None:
    """Fewer than n words on either side overlap where they are the whole other text, wordless texts included."""
    assert found([train], [held_out], 6) == [overlap]


def test_each_text_is_taken_apart_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training and held-out texts are read once each, not once a pair."""
    seen: list[Example] = []

    def counted(example: Example) -> tuple[str, ...]:
        seen.append(example)
        return words(example)

    monkeypatch.setattr(decontamination, "words", counted)
    found([f"training row {row} of many" for row in range(300)], [f"held out row {row}" for row in range(200)], 3)
    assert len(seen) == 500


def test_ten_thousand_rows_are_held_against_ten_thousand() -> None:
    """Ten thousand rows a side come back in order, with just the copies found."""
    held_out = [" ".join(f"h{row}w{place}" for place in range(20)) for row in range(10_000)]
    train = [held_out[row] if row % 100 == 0 else f"{row} is another question" for row in range(10_000)]
    assert found(train, held_out, 13) == [row % 100 == 0 for row in range(10_000)]
