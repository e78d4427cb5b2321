"""What counts as reasoning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.tasks.reasoning import parted, reasoning


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        ("", ""),
        ("\\boxed{5}", ""),
        ("Answer: \\boxed{5}", ""),
        ("The answer: \\boxed{5}", ""),
        ("The answer is \\boxed{5}.", "The answer is"),
        ("5 + 3 = 8\n\\boxed{8}", "5 + 3 = 8"),
        ("I went on and on without a box", ""),
        ("<think>\nhm, well\n</think>\n\n\\boxed{5}", "hm, well"),
        ("<think></think>one two three \\boxed{5}", ""),
        ("<think> cut off in the mid", "cut off in the mid"),
        ("<think>a \\boxed{1}</think>\\boxed{2}", "a \\boxed{1}"),
        ("hm, well\n</think>\n\n\\boxed{5}", "hm, well"),
        ("\n</think>\n\none two three \\boxed{5}", ""),
    ],
)
def test_reasoning_is_what_comes_before_the_answer(text: str, thought: str) -> None:
    """A `<think>` passage, closed or cut off, or three words before the box are reasoning; less is not."""
    assert reasoning(text) == thought


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_thought_is_found_whatever_is_in_it(before: str, thought: str) -> None:
    """What stands between the markers is the reasoning, whatever comes before and after."""
    assert reasoning(f"{before}<think>{thought}</think>one two three \\boxed{{4}}") == thought.strip()


@given(st.text(max_size=60) | st.text("<think>/ \\boxed{}ab", max_size=60))
def test_reasoning_is_part_of_the_text(text: str) -> None:
    """No text makes it raise, and what counts as reasoning is a stretch of the text."""
    assert reasoning(text) in text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ("", "")),
        (" yes ", ("", "yes")),
        ("one two three \\boxed{5}", ("", "one two three \\boxed{5}")),
        ("<think>\nhm\n</think>\n\nyes", ("hm", "yes")),
        ("hm\n</think>\n\nyes", ("hm", "yes")),
        ("<think>\n\n</think>\n\nyes", ("", "yes")),
        ("\n<think>cut off", ("cut off", "")),
        ("<think>a</think>b</think>c", ("a", "b</think>c")),
    ],
)
def test_a_thought_is_parted_from_what_is_said(text: str, parts: tuple[str, str]) -> None:
    """Markers part a thought, blanks around it left out, from what is said; prose is no thought here."""
    assert parted(text) == parts
