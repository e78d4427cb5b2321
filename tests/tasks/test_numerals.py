"""Reading numbers: what counts as one, and what does not."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tunescale_core.tasks.numerals import LONGEST, number_in

WHOLE = st.integers(-(10**12), 10**12)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("7", 7),
        ("-5", -5),
        ("+5", 5),
        ("- 5", -5),
        ("−5", -5),
        ("-5.", -5),
        ("3.25", 3.25),
        (".5", 0.5),
        ("(5)", 5),
        ("\\left(5\\right)", 5),
        ("1,234", 1234),
        ("-1,234,567.5", -1234567.5),
        ("1{,}234", 1234),
        ("3/4", 0.75),
        ("-3/4", -0.75),
        ("-1/-2", 0.5),
        ("1.5/2.5", 0.6),
        ("\\frac{3}{4}", 0.75),
        ("\\dfrac{3}{4}", 0.75),
        ("\\tfrac34", 0.75),
        ("-\\frac{3}{4}", -0.75),
        ("\\frac{-3}{4}", -0.75),
        ("2 1/2", 2.5),
        ("-2 1/2", -2.5),
        ("2\\frac{1}{2}", 2.5),
        ("-2\\frac12", -2.5),
        ("50\\%", 50),
        ("50%", 50),
        ("\\$1,234.50", 1234.5),
        ("$5", 5),
        ("5^\\circ", 5),
        ("90°", 90),
        ("7\\,\\text{m}", 7),
        ("5 apples", 5),
        ("x = 7", 7),
        ("x=2=7", 7),
        ("1e3", 1000),
        ("2 \\times 10^3", 2000),
        ("2 \\cdot 10^{-1}", 0.2),
        ("x = 2 + 5 = 7", 7),
        ("x = 1,000", 1000),
        ("1\\,000", 1000),
        ("1,\\!000", 1000),
        ("36 \\text{ cm}^2", 36),
        ("5\\text{ m}^{3}", 5),
        ("5 million", 5e6),
        ("2.5\\text{ thousand}", 2500),
        ("((5))", 5),
        ("-(5)", -5),
        ("(1)/(2)", 0.5),
        ("-\\left(\\frac{3}{4}\\right)", -0.75),
        ("5 (apples)", 5),
        ("(5) apples", 5),
        ("10^3", 1000),
        ("2^{10}", 1024),
        ("-2^2", -4),
        ("x = 2^3/4", 2),
        ("–5", -5),
        ("£5", 5),
        ("1 000 000", 1e6),
        ("12\u202f345.5", 12345.5),
        ("1 000/3", 1000 / 3),
    ],
)
def test_numbers_as_answers_state_them(answer: str, value: float) -> None:
    """Signs, separators, fractions, mixed numbers, powers, units and `x =` are understood."""
    assert number_in(answer) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "",
        " ",
        "-",
        "/",
        "x",
        "x = y",
        "A",
        "\\text{}",
        "\\text{5}",
        "\\frac{}{}",
        "\\frac{3}{",
        "\\frac{3}{0}",
        "1/0",
        "3 1/0",
        "3/4/5",
        "3/",
        "1e999",
        "-1e999",
        "1e999/1e999",
        "nan",
        "inf",
        "\\infty",
        "(1, 2)",
        "1, 2",
        "3 or 4",
        "3 - 2",
        "- -5",
        "1,2345",
        "12,34",
        "1_000",
        "0x10",
        "1.2.3",
        "10^x",
        "2^3 + 1",
        "9^999",
        "3–5",
        "1 00",
        "x = 3, y = 5",
        "x = 3 or x = 5",
        "x = 3 \\text{ and } x = 5",
        "n != 5",
        "x >= 5",
        "x \\neq= 5",
        "(3)(4)",
        "2(3)",
        "(5",
        "5)",
        "5 pi",
        "2 dozen",
        "1" * (LONGEST + 1),
    ],
)
def test_what_is_not_one_finite_number_is_none(answer: str | None) -> None:
    """Nothing, several numbers, an infinite one, a quotient by zero or an open formula is no number."""
    assert number_in(answer) is None


@given(WHOLE)
def test_whole_numbers_are_read_exactly(value: int) -> None:
    """A whole number reads as itself, with and without thousands separators."""
    assert number_in(str(value)) == value
    assert number_in(f"{value:,}") == value
    assert number_in(f"{value:,}".replace(",", "{,}")) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_float_is_read_exactly(value: float) -> None:
    """Any finite float, as Python prints it, reads as itself."""
    assert number_in(repr(value)) == value


@given(WHOLE, st.integers(1, 10**6))
def test_all_ways_to_write_a_fraction_agree(above: int, below: int) -> None:
    r"""`a/b` and `\frac{a}{b}` both read as the quotient."""
    assert number_in(f"{above}/{below}") == above / below
    assert number_in(f"\\frac{{{above}}}{{{below}}}") == above / below


@given(st.integers(0, 10**6), st.integers(0, 999), st.integers(1, 999), st.sampled_from(["", "-"]))
def test_a_mixed_number_is_the_sum_of_its_parts(whole: int, above: int, below: int, sign: str) -> None:
    """The sign of a mixed number covers the whole and the fraction."""
    value = (whole + above / below) * (-1 if sign else 1)
    assert number_in(f"{sign}{whole} {above}/{below}") == pytest.approx(value)
    assert number_in(f"{sign}{whole}\\frac{{{above}}}{{{below}}}") == pytest.approx(value)


@given(WHOLE, WHOLE)
def test_two_numbers_are_not_one(first: int, second: int) -> None:
    """Two numbers side by side are never read as one of them."""
    assert number_in(f"{first} and {second}") is None
    assert number_in(f"{first}; {second}") is None


@given(st.text("0123456789+-−.,/\\frac{}()eE%$ =^*x×\n٣²", max_size=40) | st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    """No text makes the reader raise, and what it returns is finite or None."""
    value = number_in(text)
    assert value is None or math.isfinite(value)


@given(st.text("0123456789.-/ ", max_size=20))
def test_outer_spaces_do_not_matter(text: str) -> None:
    """A number reads the same with spaces around it."""
    assume(number_in(text) is not None)
    assert number_in(f"  {text} ") == number_in(text)


@pytest.mark.parametrize("text", ["2\\pi", "3\\sqrt{x}", "5x", "2i", "\\frac{1}{2}\\pi", "2 + x", "5-", "1/1e999"])
def test_a_term_is_not_a_number(text: str) -> None:
    """A number with a symbol, an operator or an infinite part beside it does not read as that number."""
    assert number_in(text) is None
