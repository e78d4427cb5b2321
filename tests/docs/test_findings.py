"""The page on findings says what the last runs of the benchmarks found."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

from tunescale_core.gates.baseline import read
from tunescale_core.results.drift import drift_of
from tunescale_core.results.recorded import from_folder, gathered

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
SCENES = {
    "one seed": "one seed",
    "passages of five questions": "passages of five",
    "two seeds, 5 points apart": "two seeds, 5 points apart",
    "three seeds, 5 points apart": "three seeds, 5 points apart",
    "numeric errors on six questions": "errors on six questions",
    "a machine that drifts by 15 %": "a machine that drifts",
    "the same, three seeds": "a machine that drifts, three seeds",
    "the same, three variants and tasks, partly as slow on all": "few variants, a drift that lasts",
    "the same, four variants, as slow on all three tasks": "variants as slow on all tasks",
    "a machine that drifts as little as calls vary": "a machine that drifts a little",
}
KINDS = ("quality", "quality, of the best", "latency", "latency, between models", "spread", "between ranks")


def test_what_chance_alone_calls() -> None:
    """The table's shares are those of the last run that is kept, all of them."""
    kept = json.loads((ROOT / "benchmarks" / "results" / "chance.json").read_text(encoding="utf-8"))
    found = {(one["scene"], one["comparison"]): one["called"] / one["made"] for one in kept["found"]}
    head = "| studies with | quality | the best of several | latency | latency of two models | spread | between ranks |"
    lines = PAGE[PAGE.index(head) :].partition("\n\n")[0].splitlines()[2:]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[0] for row in table] == list(SCENES)
    told = {(SCENES[row[0]], kind): cell for row in table for kind, cell in zip(KINDS, row[1:], strict=True)}
    assert {place: cell for place, cell in told.items() if cell != "–"} == {
        place: f"{100 * share:.1f} %" for place, share in found.items()
    }


def test_how_far_machines_drifted() -> None:
    """The three figures are what the kept runs show."""
    kept = [read(ROOT / "benchmarks" / "baselines" / study) for study in ("mini", "mini-fair")]
    runs = [gathered(one.results.values(), "kept").cells for one in kept]
    runs.append(from_folder(ROOT / "benchmarks" / "results" / "shapes-h200").cells)
    drifts = [drift_of(cells) for cells in runs]
    said = re.search(r"(\d+) % and (\d+) % in the two kept runs.*?and (\d+) % over the few calls", PAGE, re.DOTALL)
    assert said is not None
    assert [f"{math.expm1(one.sd):.0%}" for one in drifts if one is not None] == [f"{one}%" for one in said.groups()]
