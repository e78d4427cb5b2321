"""The page on fair studies says what the runs that are kept as baselines say."""

import re
from functools import cache
from pathlib import Path

import pytest

from tunescale_core.findings.answers import answers
from tunescale_core.findings.finding import Finding
from tunescale_core.gates.baseline import read
from tunescale_core.results.recorded import gathered

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fair.md").read_text(encoding="utf-8")
STUDIES = ("mini", "mini-fair")
SHOWN = {"arc, F1": "arc", "openmath, AbsDiff less": "openmath", "squad_v2, F1": "squad_v2"}


@cache
def findings(study: str) -> dict[str, Finding]:
    """Return what follows from a run that is kept, by key."""
    kept = read(ROOT / "benchmarks" / "baselines" / study)
    return {one.key: one for one in answers(gathered(kept.results.values(), study))}


def rows(head: str) -> list[list[str]]:
    """Return the rows of the page's table under a head."""
    lines = PAGE[PAGE.index(head) :].splitlines()[2:]
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_the_verdicts_are_the_runs() -> None:
    """Each question's and conclusion's verdict is what the records of the kept run give."""
    table = rows("| finding | mini | mini-fair |")
    assert [row[0].split()[0] for row in table] == [key for key in findings("mini") if "." not in key]
    for name, *told in table:
        for study, said in zip(STUDIES, told, strict=True):
            found = findings(study)[name.split()[0]]
            assert said.partition(" (")[0] == found.verdict, (study, name)


@pytest.mark.parametrize("study", STUDIES)
def test_the_differences_are_the_runs(study: str) -> None:
    """Full tuning over the best LoRA, with its interval, is what the kept run's records give."""
    table = rows("| | mini | mini-fair |")
    assert [row[0] for row in table] == list(SHOWN)
    for name, *told in table:
        task = SHOWN[name]
        found = findings(study)[f"Q5.full-on-{task}.{task}.quality"].interval
        assert found is not None
        digits = 1 if task == "squad_v2" else 3
        numbers = [float(number) for number in re.findall(r"[-+][\d.]+", told[STUDIES.index(study)])]
        assert numbers == [round(one, digits) for one in (found.value, found.low, found.high)], name
