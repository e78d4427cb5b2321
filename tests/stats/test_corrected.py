"""Corrections for many tests."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunescale_core.stats.corrected import adjusted


@settings(max_examples=25)  # Holm's collects garbage at every call
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_only_raise_p(ps: list[float]) -> None:
    """Holm corrects more than Benjamini and Hochberg, and neither lowers a p or passes 1."""
    explored, gated = adjusted(ps), adjusted(ps, "holm")
    for p, one, other in zip(ps, explored, gated, strict=True):
        assert p <= one + 1e-12
        assert one <= other + 1e-9
        assert other <= 1


def test_corrections_are_the_textbooks() -> None:
    """Benjamini and Hochberg multiply by n over rank, Holm by what is left; of none there is none."""
    assert adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert adjusted([0.01, 0.04, 0.03], "holm") == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted([]) == []
