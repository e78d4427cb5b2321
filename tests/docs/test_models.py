"""docs/models.md, held against the families that tests try."""

import re
from pathlib import Path

import pytest

from tests.families import FAMILIES
from tunescale_core.study.method import ATTENTION

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("|")][2:]


def row_of(kind: str) -> str:
    (row,) = (row for row in ROWS if f"`{kind}`" in row)
    return row


def test_it_counts_the_families() -> None:
    """It names as many as are tried, and none that is not."""
    kinds, published = {one.kind for one in FAMILIES.values()}, [one for one in FAMILIES.values() if one.template]
    assert f"{len(FAMILIES)} tiny models of {len(kinds)} kinds" in PAGE
    assert f"{len(published)} of them under chat templates as published" in PAGE
    named = {kind for row in ROWS for kind in re.findall(r"`(\w+)`", row.split("|")[2])}
    assert named == {family.kind for family in FAMILIES.values()}


@pytest.mark.parametrize("name", FAMILIES)
def test_it_says_where_a_lora_goes(name: str) -> None:
    """Each family's row says what its attention's layers are called, and whether all linear layers are tried."""
    family = FAMILIES[name]
    columns = row_of(family.kind).split("|")
    said = "the default" if family.attention == ATTENTION else f'"{family.attention[-1]}"'
    assert said in columns[3]
    assert columns[4].strip().startswith("yes") == (family.modules == "all-linear")
