"""Baselines: saved small, read back whole, found by name, refused where they are not what they were."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.making import line, record
from tunescale_core.errors import BaselineError
from tunescale_core.gates.baseline import FOLDER, HEAD, ROWS, find, folder_of, known, read, save
from tunescale_core.pace.pace import Block, Pace
from tunescale_core.provenance import Provenance
from tunescale_core.records.files import write
from tunescale_core.records.record import Record
from tunescale_core.tasks import Answer

PROVENANCE = Provenance(
    versions={"torch": "2"},
    python="3.11",
    platform="Linux",
    cpu_count=2,
    memory_bytes=1,
    device="cpu (x86_64)",
    git_commit=None,
    git_dirty=None,
    created="2026-01-01T00:00:00Z",
)


def arc(place: int) -> Record:
    lines = [line(Answer(("A",), "AB"[(n + place) % 2]), place=n, prompt="long " * 50) for n in range(20)]
    return record("full", "arc", lines=lines, cell=f"m-full-on-arc-for-arc-{place}", provenance=PROVENANCE)


def maths() -> Record:
    lines = [line(Answer(("3",), "4"), "openmath", place=n) for n in range(10)]
    return record(task="openmath", lines=lines, cell="m-base-for-openmath")


def pace() -> Pace:
    block = Block(question="arc/1", seconds=0.2, reference_seconds=0.1)
    return Pace(subject="m-full", reference="m-base", tokens=4, blocks=(block,), provenance=PROVENANCE)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save([arc(0), arc(1), maths()], [pace()], tmp_path / "main")


def test_a_baseline_reads_back_as_it_was_saved(saved: Path) -> None:
    """Figures, examples, scores and paces come back, each case with the scores of its own task."""
    found = read(saved)
    assert list(found.results) == ["m-full-on-arc-for-arc-0", "m-full-on-arc-for-arc-1", "m-base-for-openmath"]
    assert found.paces == (pace(),)
    for original in (arc(0), arc(1), maths()):
        result = found.results[original.cell]
        assert result.rows is not None
        assert result.record is not None
        assert result.record.metrics == original.metrics
        assert result.record.provenance == original.provenance
        assert result.rows.example == tuple(one.example for one in original.lines)
        assert set(result.rows.figures) == set(original.lines[0].scores)
        for name, figures in result.rows.figures.items():
            assert np.array_equal(figures, [one.scores[name] for one in original.lines])


def test_texts_are_kept_only_on_request(saved: Path, tmp_path: Path) -> None:
    """Without texts nothing of prompts and answers is in the files; with them they are."""
    import pyarrow.parquet as pq

    assert {"prompt", "gold", "text", "answer"}.isdisjoint(pq.read_schema(saved / ROWS).names)
    kept = save([arc(0)], [], tmp_path / "texts", texts=True)
    assert "long long" in pq.read_table(kept / ROWS)["prompt"][0].as_py()


def test_a_head_has_a_line_a_record(saved: Path) -> None:
    """A change of one case is a change of one line, so that a diff can be read."""
    lines = (saved / HEAD).read_text().splitlines()
    assert sum('"cell":"m-' in one for one in lines) == 3
    assert json.loads((saved / HEAD).read_text())["records"][0]["cost"]["losses"] == []


def test_a_folder_of_records_is_a_baseline(tmp_path: Path) -> None:
    """Another run's records can be held against without saving them first."""
    write(arc(0), tmp_path / "records")
    found = read(tmp_path / "records")
    assert list(found.results) == ["m-full-on-arc-for-arc-0"]
    assert found.results["m-full-on-arc-for-arc-0"].rows is not None


def test_a_failed_case_is_not_saved(tmp_path: Path) -> None:
    """A run with a failed case, or none at all, leaves the old baseline as it is and says which case failed."""
    save([arc(0)], [], tmp_path / "main")
    before = (tmp_path / "main" / HEAD).read_bytes()
    failed = arc(1).model_copy(update={"error": "ModelError: no", "lines": ()})
    with pytest.raises(BaselineError, match="1 of 2 cases failed, m-full-on-arc-for-arc-1 first"):
        save([arc(0), failed], [], tmp_path / "main")
    with pytest.raises(BaselineError, match="no case ran"):
        save([], [], tmp_path / "main")
    assert (tmp_path / "main" / HEAD).read_bytes() == before


def test_baselines_are_found_by_name_or_path(saved: Path, tmp_path: Path) -> None:
    """A name means a folder of the baselines', a path itself; where there are none yet there is nothing to find."""
    assert find("main", tmp_path) == saved
    assert find(str(saved), tmp_path / "elsewhere") == saved
    assert find(str(saved / HEAD), tmp_path / "elsewhere") == saved / HEAD
    assert read(saved / HEAD).results.keys() == read(saved).results.keys()
    assert known(tmp_path) == ("main",)
    assert find("main", tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("mian", "no baseline 'mian' in .* has main; --save-baseline mian"),
        ("a/b", "a/b does not exist"),
        ("x.json", "does"),
    ],
)
def test_a_name_mistyped_is_no_first_run(saved: Path, wanted: str, said: str) -> None:
    """Beside other baselines an unknown name is an error that names the nearest; so is a file that is not there."""
    with pytest.raises(BaselineError, match=said):
        find(wanted, saved.parent)


def spoil(saved: Path, how: str) -> None:
    head, rows = saved / HEAD, saved / ROWS
    content = head.read_text()
    if how == "rows of another run":
        shutil.copy(save([maths()], [], saved.parent / "other") / ROWS, rows)
    elif how == "rows gone":
        rows.unlink()
    elif how == "head cut":
        head.write_text(content[: len(content) // 2])
    elif how == "format":
        head.write_text(content.replace('"format": 1', '"format": 9'))
    elif how == "schema":
        head.write_text(content.replace('"schema_version":3', '"schema_version":2'))
    else:
        head.write_text(content.replace('"model":"m"', '"modle":"m"'))


@pytest.mark.parametrize("how", ["rows of another run", "rows gone", "head cut", "format", "schema", "key"])
def test_a_damaged_baseline_is_refused(saved: Path, how: str) -> None:
    """Files that do not belong together, are cut, or of another format end in one line that says to save anew."""
    spoil(saved, how)
    with pytest.raises(BaselineError, match="save it anew") as caught:
        read(saved)
    assert "\n" not in str(caught.value)


def test_baselines_lie_where_the_run_starts_or_beside_the_study(tmp_path: Path) -> None:
    """The first folder that has any is taken, so that a job that starts elsewhere finds them; else where it starts."""
    start, study = tmp_path / "elsewhere", tmp_path / "study"
    assert folder_of(start, study) == start / FOLDER
    for place in (study, start):
        (place / FOLDER / "main").mkdir(parents=True)
        (place / FOLDER / "main" / HEAD).write_text("{}")
        assert folder_of(start, study) == place / FOLDER
