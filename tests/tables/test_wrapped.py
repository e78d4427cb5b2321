"""Sentences in lines: at spaces, and nowhere else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.tables.wrapped import WIDTH, wrapped

IDS = st.lists(st.from_regex(r"[a-z]{2,9}(-[a-z0-9]{1,9}){0,9}", fullmatch=True), min_size=1, max_size=40)


@given(IDS)
def test_ids_stay_whole(ids: list[str]) -> None:
    """However many ids a sentence has, each is on one line, in order, and no line is longer than it may be."""
    lines = wrapped(" ".join(ids), "- ", "  ").splitlines()
    assert " ".join(lines).replace("- ", " ", 1).split() == ids
    assert all(len(line) <= max(WIDTH, 2 + max(map(len, ids))) for line in lines)
