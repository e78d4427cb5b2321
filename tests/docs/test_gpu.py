"""The page on full shapes says what its records say."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tunescale_core.estimate.sizes import read_shape
from tunescale_core.results.recorded import from_folder
from tunescale_core.study.loading import load
from tunescale_core.tables.table import Table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results"
OVERHEAD = 0.53e9
"""Bytes of a CPU's process that are the libraries', as the script measured them; that varies a little."""
PLACES = {"### On an H200": ("shapes-h200",), "### On a CPU": ("shapes-endpoint-cpu", "shapes-cpu")}


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_shapes", ROOT / "benchmarks" / "check_shapes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def figures(table: Table) -> dict[tuple[str, str, str], float]:
    """Return a table's numbers by variant, plan or way of serving, and column."""
    found = {}
    for block in table.blocks:
        for row in block.rows:
            texts = [entry.text for entry in row.entries]
            for column, text in list(zip(table.columns, texts, strict=True))[2:]:
                found[texts[0], texts[1], column.head] = float(text.replace(",", ""))
    return found


def from_records(folder: str) -> dict[tuple[str, str, str], float]:
    shapes = script()
    results = from_folder(RESULTS / folder)
    study = load("shapes")
    sizes = {name: read_shape(model, study.folder) for name, model in study.models.items()}
    on_cpu = "cpu" in folder
    held = shapes.Held(4 if on_cpu else 2, OVERHEAD if on_cpu else 0.0)
    memory, _ = shapes.memory_table(results, study, sizes, held)
    speeds = json.loads((RESULTS / "bandwidths.json").read_text(encoding="utf-8"))[folder]
    return figures(memory) | figures(shapes.time_table(results, sizes, held.width, speeds))


def told(section: str) -> dict[tuple[str, str, str], str]:
    """Return the numbers of a section's tables by variant, plan or way of serving, and column."""
    found, head = {}, []
    for line in PAGE[PAGE.index(section) :].partition("\n##")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if cells and cells[0] == "variant":
            head = cells
        elif cells and not cells[0].startswith("-"):
            found |= {(cells[0], cells[1], name): cell for name, cell in zip(head[2:], cells[2:], strict=True) if cell}
    return found


@pytest.mark.parametrize("section", PLACES)
def test_its_tables_are_those_of_the_records(section: str) -> None:
    """Every number of memory and time is the records', to the last digit that is told."""
    known = {place: value for folder in PLACES[section] for place, value in from_records(folder).items()}
    compared = 0
    for place, text in told(section).items():
        if place not in known:
            assert place[2] in {"J an answer", "equal to eager"}, place
            continue
        decimals = len(text.partition(".")[2])
        slack = 0.011 if place[2] == "estimated GB" else 1e-9  # a process's own bytes are told to a tenth of a GB
        assert abs(float(text.replace(",", "")) - round(known[place], decimals)) <= slack, place
        compared += 1
    assert compared > 70
