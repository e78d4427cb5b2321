"""The page on reliability names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMISES = [
    line
    for line in (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").partition("## Promises")[2].splitlines()
    if line.startswith("|") and not line.startswith(("| promise", "|---"))
]
FUNCTIONS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("line", PROMISES)
def test_each_promise_names_what_breaks_it(line: str) -> None:
    """Every promise has three columns, and each file and test that its second names exists."""
    _, promise, named, tries, _ = (one.strip() for one in line.split("|"))
    assert promise
    assert tries
    quoted = re.findall(r"`([^`]+)`", named)
    assert quoted
    for one in quoted:
        if "/" in one:
            assert (ROOT / one).is_file(), one
        else:
            start = one.removesuffix("…")
            assert any(name.startswith(start) if one.endswith("…") else name == start for name in FUNCTIONS), one
