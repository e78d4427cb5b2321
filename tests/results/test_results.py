"""Results: candidates, their order and names, means over seeds, and rows that are read when asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import COST, line
from tests.making import record as made
from tunescale_core.errors import RecordError, ResultsError, TaskError
from tunescale_core.records.files import write
from tunescale_core.records.record import Record
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.recorded import check_distinct, from_folder
from tunescale_core.results.result import Result, from_record
from tunescale_core.results.results import Results, relative_gain
from tunescale_core.tasks import TASKS, Answer


def results(*records: Record, source: str = "") -> Results:
    return Results(tuple(map(from_record, records)), source)


def cell(value: float | None, seconds: float | None, seed: int | None = None, method: str = "full") -> Result:
    return Result(Candidate("m", method, "arc"), "arc", TASKS["arc"].primary, value, seconds, seed=seed, kind="arc")


@pytest.mark.parametrize(
    ("candidate", "name"),
    [
        (Candidate("qwen3-0.6b", "base"), "qwen3-0.6b-base"),
        (Candidate("qwen3-0.6b", "full", "arc"), "qwen3-0.6b-full-on-arc"),
        (Candidate("qwen3-0.6b", "lora-r32", "squad_v2", 32), "qwen3-0.6b-lora-r32-on-squad_v2"),
    ],
)
def test_ids(candidate: Candidate, name: str) -> None:
    """An id is the model and the method, and the training task where there is one."""
    assert candidate.id == name


@pytest.mark.parametrize(
    ("candidate", "tuned", "full"),
    [
        (Candidate("m", "base"), False, False),
        (Candidate("m", "full", "arc"), True, True),
        (Candidate("m", "lora-r8", "arc", 8), True, False),
    ],
)
def test_what_a_candidate_is(candidate: Candidate, tuned: bool, full: bool) -> None:  # noqa: FBT001  what is expected
    """Without a training task it is untuned, without a rank a tuned one is full; all come from the untuned model."""
    assert (candidate.tuned, candidate.is_full) == (tuned, full)
    assert candidate.base == Candidate("m", "base")


@given(st.permutations(["squad_v2", "arc", "openmath", "other-b", "other-a"]))
def test_tasks_have_their_own_order(order: list[str]) -> None:
    """Known tasks stand in their own order wherever they are read, others after them as they are met."""
    metric = TASKS["arc"].primary
    found = Results(tuple(Result(Candidate("m", "base"), task, metric, 0.5, 1.0) for task in order))
    others = [task for task in order if task.startswith("other")]
    assert found.tasks == ("arc", "openmath", "squad_v2", *others)


@given(st.data())
def test_candidates_have_one_order(data: st.DataObject) -> None:
    """They stand by training task, ranks falling, full tuning after its LoRAs, untuned models last."""
    expected = [
        Candidate("m", "lora-r64", "arc", 64),
        Candidate("m", "lora-r8", "arc", 8),
        Candidate("m", "full", "arc"),
        Candidate("m", "lora-r128", "squad_v2", 128),
        Candidate("m", "full", "squad_v2"),
        Candidate("m", "full", "elsewhere"),
        Candidate("m", "base"),
    ]
    metric = TASKS["arc"].primary
    cells = [Result(one, task, metric, 0.5, 1.0) for one in expected for task in ("squad_v2", "arc")]
    found = Results(tuple(data.draw(st.permutations(cells))))
    assert found.candidates == tuple(expected)


def test_who_is_tuned_and_who_is_larger() -> None:
    """Models that were tuned are the small ones, those only asked untuned the larger ones."""
    found = results(made("full", "arc", model="small"), made(model="small"), made(model="big"), made(model="huge"))
    assert (found.tuned, found.larger) == (("small",), ("big", "huge"))


def test_labels_name_the_part_in_the_study() -> None:
    """With one tuned and one larger model no label holds a model's name."""
    found = results(
        made("full", "arc", model="s"), made("lora-r4", "arc", model="s"), made(model="s"), made(model="big")
    )
    assert [found.label(one) for one in found.candidates] == ["lora-r4-on-arc", "full-on-arc", "base", "larger-base"]


def test_labels_name_models_where_there_are_several() -> None:
    """Several tuned models are told apart by their names, and so are several larger ones."""
    found = results(made("full", "arc", model="s"), made("full", "arc", model="t"), made(model="s"), made(model="big"))
    assert [found.label(one) for one in found.candidates] == ["s-full-on-arc", "t-full-on-arc", "s-base", "larger-base"]
    several = results(made("full", "arc", model="s"), made(model="big"), made(model="huge"))
    assert [several.label(one) for one in several.candidates] == ["full-on-arc", "big-base", "huge-base"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
def test_figures_are_means_over_seeds(values: list[float]) -> None:
    """Quality and latency of a place are the means of its cells', one cell a seed."""
    found = Results(tuple(cell(value, abs(value) + 1, seed) for seed, value in enumerate(values)))
    here = Candidate("m", "full", "arc")
    assert len(found.at(here, "arc")) == len(values)
    assert found.quality(here, "arc") == pytest.approx(np.mean(values), abs=1e-6)
    assert found.latency(here, "arc") == pytest.approx(np.mean(np.abs(values)) + 1)


def test_a_missing_seed_leaves_no_mean() -> None:
    """Where one seed of several has no figure, the mean over the others is not given out as the place's."""
    here = Candidate("m", "full", "arc")
    found = Results((cell(0.5, 1.0, 0), cell(None, 2.0, 1)))
    assert (found.quality(here, "arc"), found.latency(here, "arc")) == (None, 1.5)
    found = Results((cell(0.5, None, 0), cell(0.7, 2.0, 1)))
    assert (found.quality(here, "arc"), found.latency(here, "arc")) == (pytest.approx(0.6), None)


def test_where_nothing_was_measured() -> None:
    """A place that no cell is about is empty, and has no figures."""
    found = Results((cell(0.5, 1.0),))
    for candidate, task in ((Candidate("x", "base"), "arc"), (Candidate("m", "full", "arc"), "squad_v2")):
        assert found.at(candidate, task) == ()
        assert found.quality(candidate, task) is None
        assert found.latency(candidate, task) is None


@pytest.mark.parametrize(
    ("task", "new", "old", "gain"),
    [
        ("arc", 0.6, 0.5, 20.0),
        ("arc", 0.4, 0.5, -20.0),
        ("openmath", 4.0, 5.0, 20.0),
        ("openmath", 6.0, 5.0, -20.0),
        ("arc", None, 0.5, None),
        ("arc", 0.5, None, None),
        ("arc", 0.5, 0.0, None),
        ("arc", 0.0, 0.5, -100.0),
    ],
)
def test_improvements(task: str, new: float | None, old: float | None, gain: float | None) -> None:
    """An improvement is a share of the untuned model's figure, positive for the better; of zero there is none."""
    assert relative_gain(TASKS[task].primary, new, old) == (gain if gain is None else pytest.approx(gain))
    metrics = [{TASKS[task].primary.name: value} for value in (new, old)]
    found = results(made("full", "arc", task, metrics=metrics[0]), made(task=task, metrics=metrics[1]))
    expected = relative_gain(TASKS[task].primary, new, old)
    assert found.improvement(Candidate("m", "full", "arc"), task) == expected


def test_a_records_result() -> None:
    """A record's result has its primary metric, its mean latency, and its other metrics by name."""
    lines = [line(Answer(("A",), said), place=place, seconds=place + 1.0) for place, said in enumerate("AAB")]
    found = from_record(made("lora-r4", "arc", lines=lines, seed=3))
    assert found.candidate == Candidate("m", "lora-r4", "arc", 4)
    assert (found.task, found.kind, found.seed, found.metric.name) == ("arc", "arc", 3, "macro_f1")
    assert (found.quality, found.latency) == (pytest.approx(0.2), 2.0)
    assert found.metric_value("macro_f1") == found.quality
    assert found.metric_value("accuracy") == pytest.approx(2 / 3)
    assert found.metric_value("unheard of") is None


def test_a_failed_cells_result() -> None:
    """A cell that failed has a result without figures and without rows."""
    found = from_record(made(key=None, error="ModelError: gone"))
    assert (found.quality, found.latency, found.rows) == (None, None, None)


def test_a_published_cell_knows_its_primary_metric_alone() -> None:
    """A figure without a record answers for the primary metric and for no other, and has no rows."""
    found = cell(0.5, 1.0)
    assert (found.metric_value("macro_f1"), found.metric_value("accuracy"), found.rows) == (0.5, None, None)


def test_rows_are_columns() -> None:
    """A record's lines come back as columns: what each contributes, what was timed, what ended by itself."""
    lines = [
        line(Answer(("B",), "B"), place=7, group="g"),
        line(place=8, seconds=None, first_token_seconds=None, finish="length", tokens=9, reasoning_tokens=2),
    ]
    rows = from_record(made(lines=lines)).rows
    assert rows is not None
    assert (rows.example, rows.group) == (("7", "8"), ("g", ""))
    assert set(rows.figures) == {"macro_f1", "accuracy", "parse_rate"}
    assert rows.figures["macro_f1"].tolist() == [6.0, 0.0]
    assert (rows.tokens.tolist(), rows.reasoning_tokens.tolist()) == ([4.0, 9.0], [0.0, 2.0])
    assert (rows.timed.tolist(), rows.stopped.tolist()) == ([True, False], [True, False])
    assert rows.seconds[0] == 0.5
    assert np.isnan(rows.seconds[1])


def test_what_does_not_count_is_nan() -> None:
    """An unanswerable question contributes nothing to the metrics of answerable ones."""
    lines = [line(Answer((), ""), "squad_v2", 0), line(Answer(("x",), "x"), "squad_v2", 1)]
    rows = from_record(made(task="squad_v2", lines=lines)).rows
    assert rows is not None
    assert np.isnan(rows.figures["has_ans_f1"]).tolist() == [True, False]
    assert rows.figures["f1"].tolist() == [100.0, 100.0]


def test_folders_are_read_with_rows_when_asked(tmp_path: Path) -> None:
    """A folder's results have their figures at once, and their rows from the Parquet file once they are asked for."""
    records = [made(lines=[line(), line(place=1)]), made("full", "arc", lines=[line(Answer(("A",), "B"))], seed=0)]
    for one in records:
        write(one, tmp_path)
    found = from_folder(tmp_path)
    assert found.source == str(tmp_path)
    assert {one.candidate for one in found.cells} == {Candidate("m", "base"), Candidate("m", "full", "arc")}
    for one in found.cells:
        direct = next(from_record(record) for record in records if record.method == one.candidate.method)
        assert isinstance(one.source, Path)
        assert one.record is not None
        assert one.record.lines == ()
        assert (one.quality, one.latency) == (direct.quality, direct.latency)
        assert one.rows is not None
        assert direct.rows is not None
        assert one.rows.example == direct.rows.example
        np.testing.assert_equal(one.rows.figures, direct.rows.figures)
        np.testing.assert_equal(one.rows.seconds, direct.rows.seconds)


def test_rows_that_are_gone_matter_only_when_asked_for(tmp_path: Path) -> None:
    """Without the Parquet file the figures are still read, and asking for the rows says which file is missing."""
    write(made(lines=[line()]), tmp_path)
    (parquet,) = tmp_path.glob("*.parquet")
    parquet.unlink()
    (found,) = from_folder(tmp_path).cells
    assert found.latency == 0.5
    with pytest.raises(RecordError, match="cannot be read"):
        _ = found.rows


def test_a_record_without_lines_has_no_rows(tmp_path: Path) -> None:
    """A failed cell's record on disk has a result without a source of rows."""
    write(made(key=None, error="ModelError: gone"), tmp_path)
    (found,) = from_folder(tmp_path).cells
    assert (found.source, found.rows, found.quality) == (None, None, None)


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    """An empty folder is an error that names it."""
    with pytest.raises(RecordError, match="holds no records"):
        from_folder(tmp_path)


def test_two_figures_for_one_place_are_refused() -> None:
    """A candidate's task and seed may come once; the error names both, and other seeds are other places."""
    check_distinct([cell(0.5, 1.0, 0), cell(0.5, 1.0, 1), cell(0.5, 1.0, None)])
    with pytest.raises(ResultsError, match=r"^m-full-on-arc for arc comes twice; leave one out$"):
        check_distinct([cell(0.5, 1.0, 0), cell(0.6, 2.0, 0)])


def test_records_of_two_forms_of_a_study_are_refused(tmp_path: Path) -> None:
    """The same candidate, task and seed under two cell names would count as two seeds: it is refused by folder."""
    for cell in ("m-full-on-arc-for-arc", "m-full-on-arc-for-arc-s0"):
        write(made("full", "arc", metrics={"macro_f1": 0.5}, seed=0, cell=cell), tmp_path)
    with pytest.raises(ResultsError, match="comes twice"):
        from_folder(tmp_path)


def test_a_record_of_a_task_that_is_not_installed_is_refused() -> None:
    """It says in one line which task is missing, and how tasks are provided."""
    record = made(lines=[line()]).model_copy(update={"kind": "chess"})
    with pytest.raises(TaskError, match=r"^no task 'chess'; known are arc, [^\n]+; a package can provide others"):
        from_record(record)


@pytest.mark.parametrize(
    ("rows", "cut", "flagged"), [(100, 9, False), (100, 10, True), (None, 10, False), (3, 0, False)]
)
def test_training_rows_without_their_end_are_a_flag(rows: int | None, cut: int, *, flagged: bool) -> None:
    """From a tenth of the rows on it is said of a candidate, of a checkpoint made before that was looked at too."""
    cost = COST.model_copy(update={"rows": rows, "rows_cut": cut})
    found = results(made("full", "arc", lines=[line()], cost=cost)).flags
    told = f"{cut} of its {rows} training rows lost their answer's end to max_length"
    assert list(found.values()) == ([(told,)] if flagged else [])
