"""Tables: blocks, bold, what is missing, and seeds."""

from collections.abc import Callable

import pytest

from tests.making import line
from tests.making import record as made_record
from tunescale_core.records.record import Record
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.tables.formats import terminal
from tunescale_core.tables.study_table import output_table, table1
from tunescale_core.tables.table import MISSING
from tunescale_core.tasks import TASKS, Answer


def record(  # noqa: PLR0917  rows of figures read best without names
    method: str,
    trained_on: str | None,
    task: str,
    value: float | None,
    seconds: float | None = 0.5,
    seed: int | None = None,
    tokens: int = 4,
) -> Record:
    metrics = {TASKS[task].primary.name: value, "parse_rate": 0.75}
    lines = (line(seconds=seconds, tokens=tokens),) if task == "arc" else (line(GOLD[task], task, seconds=seconds),)
    return made_record(method, trained_on, task, lines, metrics=metrics, seed=seed)


GOLD = {"openmath": Answer(("5",), "5"), "squad_v2": Answer(("mill",), "mill")}


def results(records: list[Record]) -> Results:
    return Results(tuple(map(from_record, records)))


def quality_table(records: list[Record], bold: Callable[[str], str] = str) -> str:
    return terminal(table1(results(records)), bold)


def outputs(records: list[Record]) -> str:
    return terminal(output_table(results(records)))


def starred(text: str) -> str:
    return f"*{text}*"


def rows(table: str) -> list[list[str]]:
    """Return a table's body, each line split at its blanks."""
    return [line.split() for line in table[table.rindex("---") :].splitlines()[1:]]


def row(table: str, *labels: str) -> list[str]:
    """Return the figures of the row with these labels."""
    (found,) = [line[len(labels) :] for line in rows(table) if tuple(line[: len(labels)]) == labels]
    return found


def test_a_block_a_training_task() -> None:
    """Rows stand in blocks by what they were trained on, in the tasks' order, untuned models last."""
    made = [record("base", None, task, 0.1) for task in ("arc", "squad_v2")]
    made += [record("full", on, task, 0.2, seed=0) for on in ("squad_v2", "arc") for task in ("arc", "squad_v2")]
    titles = [" ".join(line) for line in rows(quality_table(made)) if line[0] in {"trained", "untuned"}]
    assert titles == ["trained on arc", "trained on squad_v2", "untuned"]


def test_one_row_a_variant() -> None:
    """A variant's cells share one row: quality and latency of each task side by side."""
    table = quality_table([record("base", None, "arc", 0.25, 1.0), record("base", None, "openmath", 0.5, 2.0)])
    assert row(table, "m", "base") == ["0.2500", "1.0000", "0.50", "2.0000"]


def test_heads_show_the_direction() -> None:
    """Quality says that more is better, latency that less is."""
    head = quality_table([record("base", None, "arc", 0.25)]).split("---")[0]
    assert "F1 ↑" in head
    assert "s ↓" in head


def test_bold_respects_direction() -> None:
    """Each block's highest quality and lowest latency are bold, and no other figure."""
    made = [record("full", "arc", "arc", 0.3, 0.2, 0), record("lora-r4", "arc", "arc", 0.6, 0.9, 0)]
    table = quality_table([*made, record("base", None, "arc", 0.1, 5.0)], starred)
    assert row(table, "m", "full") == ["0.3000", "*0.2000*"]
    assert row(table, "m", "lora-r4") == ["*0.6000*", "0.9000"]
    assert row(table, "m", "base") == ["*0.1000*", "*5.0000*"]


def test_ties_are_all_bold() -> None:
    """Figures that print the same as the best are bold with it."""
    made = [record("full", "arc", "arc", 0.60001, 1.0, 0), record("lora-r4", "arc", "arc", 0.60002, 2.0, 0)]
    table = quality_table(made, starred)
    assert row(table, "m", "full")[0] == row(table, "m", "lora-r4")[0] == "*0.6000*"


def test_missing_figures_are_shown_as_missing() -> None:
    """A figure that could not be measured, and a cell that was not run, are dashes and never bold."""
    made = [record("base", None, "arc", None, None), record("full", "arc", "squad_v2", 0.5, seed=0)]
    table = quality_table(made, starred)
    assert row(table, "m", "base") == [MISSING] * 4
    assert row(table, "m", "full")[:2] == [MISSING] * 2
    assert MISSING == "–"


def test_seeds_are_labelled_where_there_are_several() -> None:
    """With several seeds each has a row that says which it is; with one it is not mentioned."""
    made = [record("full", "arc", "arc", 0.1 * seed, seed=seed) for seed in (1, 2)]
    table = quality_table([*made, record("base", None, "arc", 0.5)])
    assert row(table, "m", "full", "s1")[0] == "0.1000"
    assert row(table, "m", "full", "s2")[0] == "0.2000"
    assert row(table, "m", "base")[0] == "0.5000"
    assert row(quality_table(made[:1]), "m", "full")[0] == "0.1000"


def test_output_table() -> None:
    """The second table shows tokens, parse rate and what training took; an untuned model has none of the last."""
    made = record("full", "arc", "arc", 0.1, seed=0, tokens=7)
    table = outputs([made, record("base", None, "arc", 0.1)])
    assert row(table, "m", "full") == ["7.0", "75%", "12.3", "1", MISSING, MISSING]
    assert row(table, "m", "base") == ["4.0", "75%", *[MISSING] * 4]
    assert made.cost
    learnt = made.cost.model_copy(update={"steps": 1200, "losses": ((60, 2.5), (120, 1.0), (1200, 0.5))})
    assert row(outputs([made.model_copy(update={"cost": learnt})]), "m", "full")[2:] == [
        "12.3",
        "1,200",
        "2.500",
        "0.500",
    ]


@pytest.mark.parametrize("table", [quality_table, outputs])
def test_failed_cells_have_rows_too(table: object) -> None:
    """A cell whose measurement failed is in the tables, with nothing but dashes."""
    failed = record("base", None, "arc", None).model_copy(
        update={"metrics": {}, "lines": (), "summary": None, "error": "ModelError: x"}
    )
    shown = row(table([failed]), "m", "base")  # type: ignore[operator]
    assert set(shown) == {MISSING}


def test_a_slice_that_leaves_the_trained_task_out_still_has_a_table() -> None:
    """A variant trained on a task that no record evaluates has its block all the same."""
    assert "trained on arc" in quality_table([record("full", "arc", "squad_v2", 0.2, seed=0)])


def test_what_needs_no_model_stands_last() -> None:
    """The trivial row says what the majority letter scores on the very questions that were asked."""
    lines = [line(Answer((gold,), "B"), place=place) for place, gold in enumerate("AAB")]
    table = quality_table([made_record(lines=lines)])
    title, row, note = rows(table)[-3:]
    assert title == ["no", "model"]
    assert row[:3] == ["–", "trivial", "0.2000"]
    assert " ".join(note) == "(trivial: majority letter for arc)"


def test_published_figures_have_no_trivial_row() -> None:
    """Where the source has no questions, nothing can be said about answering without looking."""
    assert "trivial" not in quality_table([made_record(metrics={"macro_f1": 0.5})])
