"""JSON for other programs: numbers that are none, dataclasses, and text that is no Unicode."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.findings.finding import Finding
from tunescale_core.plain_json import dumps
from tunescale_core.stats.interval import Interval

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def refused(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


def finite(value: Any) -> Any:
    """Return a value with null for what is no number."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(VALUES)
def test_every_parser_reads_it(value: object) -> None:
    """What is written comes back as it was, but for NaN and infinity, which JSON does not have: they are null."""
    assert json.loads(dumps(value), parse_constant=refused) == finite(value)


def test_a_finding_without_a_merit() -> None:
    """Sides that were asked other questions have no merit, which is NaN in a finding and null in its JSON."""
    told = json.loads(dumps(Finding("Q1.a", "", merit=math.nan, interval=Interval(0, 1, 2))), parse_constant=refused)
    assert told["merit"] is None
    assert told["interval"] == {"value": 0, "low": 1, "high": 2}
