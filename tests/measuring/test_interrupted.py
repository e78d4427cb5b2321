"""What an interrupted run had measured is taken over where it is what would be measured now, and only there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.making import line
from tests.making import record as made
from tunescale_core.errors import DamageWarning
from tunescale_core.measuring import cell as run_module
from tunescale_core.measuring.cell import Bench
from tunescale_core.measuring.interrupted import Notes
from tunescale_core.models.device import device
from tunescale_core.progress import Progress
from tunescale_core.records.files import write
from tunescale_core.records.record import Record
from tunescale_core.store.checkpoints import Store
from tunescale_core.study.grid import cells
from tunescale_core.study.loading import load
from tunescale_core.tasks import Answer

STUDY = """
[study]
name = "stopped"
eval_examples = 3
[protocol]
max_new_tokens = 8
{protocol}
[models.m]
source = "embedded:{model}"
[tasks.arc]
{task}
"""
Opened = Callable[..., Bench]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Opens the study, some of it otherwise than before, as a run that an interrupted one came before."""

    def bench(protocol: str = "", model: str = "mini-small", task: str = "") -> Bench:
        path = tmp_path / "stopped.toml"
        path.write_text(STUDY.format(protocol=protocol, model=model, task=task))
        made = Bench(load(str(path)), tmp_path / "store", Progress())
        made.notes.begin()
        return made

    return bench


def measured(bench: Bench, **changed: Any) -> Record:
    """Keep the record of the study's cell as its run would, and stop as a killed one."""
    (cell,) = cells(bench.study)
    built = bench.subjects.built(cell.variant)
    asked = bench._data.evaluation(cell.task)
    key = bench._key(cell, built, device(), asked, None)
    lines = [
        line(Answer(("A",), "A"), place=place).model_copy(
            update={"example": one.id, "group": one.group, "gold": one.gold}
        )
        for place, one in enumerate(asked.rows)
    ]
    fields = {"key": key, "provenance": bench._circumstances(), "lines": lines} | changed
    record = made("base", "arc", **fields).model_copy(update={"cell": cell.id, "study": "stopped"})
    bench.keep(record)
    bench.notes.close()
    return record


def taken(bench: Bench) -> Record | None:
    (cell,) = cells(bench.study)
    try:
        return bench.take(cell)
    finally:
        bench.notes.close()


def test_what_was_measured_is_taken_over(opened: Opened) -> None:
    """The record of an interrupted run is the next one's, answers and all."""
    record = measured(opened())
    again = opened()
    assert taken(again) == record
    assert again.taken == [record.cell]


def test_a_run_that_ended_leaves_nothing_to_take(opened: Opened) -> None:
    """After a proper end the next run measures anew."""
    bench = opened()
    record = measured(bench)
    ended = opened()
    ended.notes.end([record.cell])
    assert taken(opened()) is None


def test_an_end_forgets_its_own_cells_alone(opened: Opened) -> None:
    """What a run was not asked for stays to be taken over."""
    measured(opened())
    other = opened()
    other.notes.end(["another-cell"])
    assert taken(opened()) is not None


def test_notes_that_cannot_be_written_cost_no_record(opened: Opened, tmp_path: Path) -> None:
    """They spare work and are no result: a run goes on without them, and says so once."""
    bench = opened()
    notes = tmp_path / "store" / "unfinished" / "run-stopped.json"
    notes.mkdir()
    (notes / "in the way").touch()
    with pytest.warns(DamageWarning, match="notes of the run cannot be written"):
        record = measured(bench)
    assert (bench.records / f"{record.cell}.json").is_file()
    bench.notes.add(record)


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "mini-large"},
        {"protocol": "max_prompt_tokens = 99"},
        {"protocol": 'dtype = "bfloat16"'},
        {"protocol": 'thinking = "off"'},
        {"task": "eval_examples = 2"},
    ],
    ids=["weights", "prompts' length", "precision", "thinking", "questions"],
)
def test_other_answers_are_not_taken(opened: Opened, changed: dict[str, str]) -> None:
    """Answers of other weights, prompts or protocol are never used."""
    measured(opened())
    assert taken(opened(**changed)) is None


def test_another_version_is_not_taken(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that another version of a package gave are never used."""
    measured(opened())
    monkeypatch.setattr(run_module, "versions", lambda packages: dict.fromkeys(packages, "0"))
    assert taken(opened()) is None


@pytest.mark.parametrize("field", ["cpu", "platform", "git_commit", "device", "python", "threads"])
def test_another_machine_or_commit_is_not_taken(opened: Opened, field: str) -> None:
    """Times of another machine, or of other code, are never used."""
    bench = opened()
    other = bench._circumstances().model_copy(update={field: 77 if field == "threads" else "another"})
    measured(bench, provenance=other)
    assert taken(opened()) is None


def test_declared_threads_are_those_of_the_run(opened: Opened) -> None:
    """Where the protocol says how many threads, they count as the present ones before a model is opened."""
    measured(opened(protocol="threads = 3"))
    assert taken(opened(protocol="threads = 3")) is not None


def test_a_damaged_record_is_measured_anew(opened: Opened) -> None:
    """A record that is not as it was written is not taken over, and a warning says so."""
    bench = opened()
    record = measured(bench)
    path = bench.records / f"{record.cell}.json"
    path.write_text(path.read_text().replace('"accuracy"', '"accuracies"', 1))
    with pytest.warns(DamageWarning, match="changed after it was written.*measured anew"):
        assert taken(opened()) is None


def test_another_record_in_its_place_is_not_taken(opened: Opened) -> None:
    """A record that is whole but not the one that was noted is not taken over."""
    bench = opened()
    record = measured(bench)
    write(record.model_copy(update={"key": "0" * 64}), bench.records)
    assert taken(opened()) is None


def test_failures_are_not_taken(opened: Opened) -> None:
    """A cell that failed is tried again."""
    bench = opened()
    (cell,) = cells(bench.study)
    bench.keep(bench.failed(cell, RuntimeError("no")))
    bench.notes.close()
    assert taken(opened()) is None


def test_a_run_under_way_is_not_taken_from(opened: Opened) -> None:
    """While a run is under way another of the same study takes nothing of it, and does not disturb its notes."""
    first = opened()
    (cell,) = cells(first.study)
    measured_by_first = measured(first)
    under_way = opened()
    beside = opened()
    assert beside.notes.found == {}
    beside.notes.add(measured_by_first)
    beside.notes.end([cell.id])
    assert under_way.take(cell) is not None
    under_way.notes.close()
    assert taken(opened()) is not None


def test_forgetting_measures_anew(opened: Opened, tmp_path: Path) -> None:
    """A run that is told not to resume takes none of its cells over, and leaves those that it is not asked for."""
    cell = measured(opened()).cell
    notes = Notes(Store(tmp_path / "store"), "stopped")
    for forgotten in ("another-cell", cell):
        notes.begin(forget=[forgotten])
        assert (cell in notes.found) == (forgotten != cell)
        notes.close()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"measured": 3}', '{"measured": null}', "\x00\xff"])
def test_unreadable_notes_are_told(tmp_path: Path, text: str) -> None:
    """Notes that cannot be read are nothing to go by: a warning says so, and all is measured anew."""
    folder = tmp_path / "unfinished"
    folder.mkdir()
    (folder / "run-s.json").write_text(text, encoding="latin-1")
    notes = Notes(Store(tmp_path), "s")
    with pytest.warns(DamageWarning, match=r"notes of an interrupted run .*run-s.json cannot be read .*measured anew"):
        notes.begin()
    assert notes.found == {}
    notes.add(made("full", "arc", key="k"))
    notes.close()
    assert list(json.loads((folder / "run-s.json").read_text())["measured"].values()) == ["k"]


@pytest.mark.parametrize("name", ["kind", "group", "example", "gold"])
def test_a_cell_of_other_questions_is_not_taken_over(opened: Opened, name: str) -> None:
    """What a key does not say, the task's kind and what intervals and pairs go by, must be the same all the same."""
    kept = measured(opened())
    if name == "kind":
        changed = kept.model_copy(update={"kind": "squad_v2"})
    else:
        other = {"group": "g", "example": "x", "gold": ("B", "C")}
        changed = kept.model_copy(update={"lines": (kept.lines[0].model_copy(update={name: other[name]}),)})
    bench = opened()
    write(changed, bench.records)
    assert taken(bench) is None
    write(kept, bench.records)
    assert taken(opened()) is not None
