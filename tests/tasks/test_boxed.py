"""Reading boxes: nesting, truncation, and wrappers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.tasks.boxed import boxed, last_boxed
from tunescale_core.tasks.squad_v2 import normalised

PLAIN = st.text(st.characters(exclude_characters="\\{}$", exclude_categories=["Cs"]), max_size=8)
BALANCED = st.recursive(
    PLAIN | st.sampled_from(["\\{", "\\}", "\\\\", "\\frac", "\\$"]),
    lambda inner: st.builds("{{{}}}".format, inner) | st.builds("{}{}".format, inner, inner),
    max_leaves=8,
)


def bare(content: str) -> str:
    """Return the content without outer spaces and dollar signs."""
    return content.strip().strip("$").strip()


@given(st.text(max_size=60), BALANCED, PLAIN)
def test_what_was_boxed_is_read_back(before: str, content: str, after: str) -> None:
    """Whatever comes before and after, the content of the last box is read back stripped and unwrapped."""
    assert last_boxed(f"{before}\\boxed{{{content}}}{after}") == bare(content)


@given(
    PLAIN.map(str.strip),
    st.sampled_from(["text", "textbf", "mathrm", "mathbf", "textit", "textsf", "boldsymbol", "mbox"]),
)
def test_a_wrapper_around_the_whole_answer_goes(content: str, wrapper: str) -> None:
    r"""`\text{…}` and its like are taken off, once or twice, with the spaces inside them."""
    assert last_boxed(f"\\boxed{{\\{wrapper}{{ {content} }}}}") == content
    assert last_boxed(f"\\boxed{{\\text{{\\{wrapper}{{{content}}}}}}}") == content


@given(st.text("\\boxed{} text$a", max_size=80) | st.text(max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    """No text makes the reader raise, and what it returns is text without outer spaces, or None."""
    found = last_boxed(text)
    assert found is None or found == found.strip()


@given(BALANCED, BALANCED)
def test_an_unclosed_last_box_leaves_the_one_before(first: str, cut: str) -> None:
    """A box that truncation cut open is no answer; the last complete one stands."""
    assert last_boxed(f"\\boxed{{{first}}} then \\boxed{{{cut}") == bare(first)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("no box at all", None),
        ("", None),
        ("boxed{5}", None),
        ("\\boxed", None),
        ("\\boxed 5", None),
        ("\\boxed{", None),
        ("\\boxed{12", None),
        ("\\boxed{\\frac{1}{2}", None),
        ("\\boxed{5\\}", None),
        ("\\boxed{5\\", None),
        ("\\boxed{}", ""),
        ("\\boxed{   }", ""),
        ("\\boxed{$$}", ""),
        ("\\boxed{\\text{}}", ""),
        ("\\boxed{5}", "5"),
        ("\\boxed {5}", "5"),
        ("\\boxed{ $5$ }", "5"),
        ("\\boxed{1} and \\boxed{2}", "2"),
        ("\\boxed{1} and \\boxed{", "1"),
        ("\\boxed{\\boxed{5}}", "5"),
        ("\\boxed{\\frac{3}{4}}", "\\frac{3}{4}"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("\\boxed{\\text{A} or \\text{B}}", "\\text{A} or \\text{B}"),
        ("\\boxed{\\text{a\\}}}", "a\\}"),
        ("\\boxed{the mill\nor so}", "the mill\nor so"),
        ("\\boxed{5}}}", "5"),
    ],
)
def test_boxes_as_models_write_them(text: str, content: str | None) -> None:
    """Complete, empty, nested, wrapped and truncated boxes give what a reader of the text would say."""
    assert last_boxed(text) == content


@given(st.text("ab {}$.", max_size=20) | PLAIN)
def test_a_box_that_is_written_can_be_read(answer: str) -> None:
    """What is boxed for training reads back as the same words, whatever braces are in it."""
    found = last_boxed(f"So it is {boxed(answer)}.")
    assert found is not None
    assert normalised(found) == normalised(answer)


def test_dollars_inside_a_wrapper_go() -> None:
    r"""`\text{$5$}` is 5."""
    assert last_boxed("\\boxed{\\text{$5$}}") == "5"
