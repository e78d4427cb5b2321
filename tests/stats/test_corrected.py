"""Corrections for many tests."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from tunescale_core.stats.corrected import adjusted


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_only_raise_p(ps: list[float]) -> None:
    """Holm corrects more than Benjamini and Hochberg, and neither lowers a p or passes 1."""
    explored, gated = adjusted(ps), adjusted(ps, "holm")
    for p, one, other in zip(ps, explored, gated, strict=True):
        assert p <= one + 1e-12
        assert one <= other + 1e-9
        assert other <= 1
    assert adjusted([]) == []


@settings(max_examples=20, deadline=None)  # theirs collects garbage at every call
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrections_are_statsmodels(ps: list[float]) -> None:
    """Both corrections agree with statsmodels', ties and zeros among the p values."""
    methods: tuple[Literal["fdr_bh", "holm"], ...] = ("fdr_bh", "holm")
    for method in methods:
        assert adjusted(ps, method) == pytest.approx(multipletests(ps, method=method)[1])
