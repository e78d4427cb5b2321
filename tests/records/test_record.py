"""What a record sums up and refuses."""

import pytest
from pydantic import ValidationError

from tests.making import line as made_line
from tests.making import record as made_record


def test_the_summary_times_timed_lines_alone() -> None:
    """Latency is over the timed examples and tokens over all; what cannot be had is missing."""
    summary = made_record(
        lines=(made_line(tokens=2, seconds=1.0), made_line(tokens=7, seconds=None), made_line(tokens=3, seconds=2.0))
    ).summary
    assert summary is not None
    assert (summary.examples, summary.timed, summary.tokens) == (3, 2, 4.0)
    assert (summary.latency, summary.median_latency) == (1.5, 1.5)
    assert summary.std_latency == pytest.approx(0.5**0.5)
    untimed = made_record(lines=(made_line(tokens=1, seconds=None),)).summary
    assert untimed is not None
    assert (untimed.latency, untimed.median_latency, untimed.std_latency) == (None, None, None)
    assert made_record().summary is None


def test_the_summary_counts_reasoning_and_truncation() -> None:
    """The shares of answers that reason, and that the limit ended, are over all examples."""
    lines = (made_line(reasoning_tokens=6), made_line(finish="length"), made_line(finish="length"), made_line())
    summary = made_record(lines=lines).summary
    assert summary is not None
    assert (summary.reasoned, summary.reasoning_tokens, summary.truncated) == (0.25, 1.5, 0.5)


def test_records_are_frozen() -> None:
    """A record cannot be changed after it was made."""
    made = made_record()
    with pytest.raises(ValidationError, match="frozen"):
        made.study = "t"  # type: ignore[misc]
