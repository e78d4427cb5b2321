"""Quality thresholds: what a study expects of a cell, held against what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from tunescale_core.errors import ThresholdError
from tunescale_core.records.record import Record
from tunescale_core.study.expected import Expectation


def hold(record: Record, expectations: Sequence[Expectation]) -> None:
    """Check every expectation of a cell.

    Raises:
        ThresholdError: One line a missed threshold: measured, required, n.
    """
    missed = [line for line in (_missed(record, one) for one in expectations) if line]
    if missed:
        raise ThresholdError("\n".join(missed))


def _missed(record: Record, expectation: Expectation) -> str | None:
    value = record.metrics.get(expectation.metric)
    low, high = expectation.at_least, expectation.at_most
    required = f"at least {low:g}" if low is not None else f"at most {high:g}"
    if value is None:
        return f"{record.cell}: {expectation.metric} could not be measured, required {required}, n = {record.examples}"
    if (low is not None and value >= low) or (high is not None and value <= high):
        return None
    return f"{record.cell}: {expectation.metric} measured {value:.4g}, required {required}, n = {record.examples}"
