"""Thresholds: what passes, what is missed, and how a miss reads."""

import pytest

from tests.making import record as made
from tunescale_core.errors import ThresholdError
from tunescale_core.gates.thresholds import hold
from tunescale_core.records.record import Record
from tunescale_core.study.expected import Expectation


def record(**metrics: float | None) -> Record:
    return made(cell="m-base-for-arc", metrics=metrics)


def at_least(value: float, metric: str = "accuracy") -> Expectation:
    return Expectation(cell="*", metric=metric, at_least=value)


def at_most(value: float, metric: str = "accuracy") -> Expectation:
    return Expectation(cell="*", metric=metric, at_most=value)


def missed(measured: Record, *expectations: Expectation) -> list[str]:
    with pytest.raises(ThresholdError) as caught:
        hold(measured, expectations)
    return str(caught.value).splitlines()


def test_a_bound_may_be_touched() -> None:
    """A value on its bound, or on the right side of it, holds; so does asking for nothing."""
    hold(record(accuracy=0.5), (at_least(0.5), at_most(0.5), at_least(0.4), at_most(0.6)))
    hold(record(accuracy=0.5), ())


def test_too_low_is_a_miss() -> None:
    """A value below `at_least` is told with cell, measured, required and n."""
    assert missed(record(accuracy=0.25), at_least(0.5)) == [
        "m-base-for-arc: accuracy measured 0.25, required at least 0.5, n = 0"
    ]


def test_too_high_is_a_miss() -> None:
    """A value above `at_most` is told with cell, measured, required and n."""
    assert missed(record(accuracy=0.75), at_most(0.5)) == [
        "m-base-for-arc: accuracy measured 0.75, required at most 0.5, n = 0"
    ]


@pytest.mark.parametrize("expectation", [at_least(0.0), at_most(1.0)])
@pytest.mark.parametrize("measured", [record(accuracy=None), record()])
def test_what_could_not_be_measured_is_a_miss(measured: Record, expectation: Expectation) -> None:
    """A missing value holds no bound, however low."""
    (line,) = missed(measured, expectation)
    assert "accuracy could not be measured, required" in line


def test_zero_is_a_value() -> None:
    """A bound and a measurement of 0 are numbers, not absences."""
    hold(record(accuracy=0.0), (at_most(0.0), at_least(0.0)))
    assert len(missed(record(accuracy=-0.1), at_least(0.0))) == 1


def test_a_line_a_miss() -> None:
    """Every missed threshold has its own line, those that hold have none."""
    lines = missed(record(accuracy=0.5, parse_rate=0.5), at_least(0.9), at_least(0.1), at_most(0.1, "parse_rate"))
    assert [line.split()[1] for line in lines] == ["accuracy", "parse_rate"]
