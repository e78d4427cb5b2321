"""What was passed over is told a line a task, with a number a seed where seeds differ."""

from tests.making import COST, line
from tests.making import record as made
from tunescale_core.results.recorded import gathered
from tunescale_core.results.result import from_record
from tunescale_core.tables.passed_over import passed_over
from tunescale_core.tables.study_table import output_table

GRAM = "shares a 13-gram with evaluation"


def test_what_was_passed_over_is_told() -> None:
    """Rows left out and why, prompts and rows cut, and batches that were halved have a line each."""
    records = [
        made(lines=[line(prompt_cut=3), line(place=1)], left_out={"not four choices": 2, "asked already": 1}),
        made("full", "arc", training_left_out={GRAM: 4}, cost=COST),
        made("lora-r4", "arc", training_left_out={GRAM: 4}, cost=COST.model_copy(update={"rows_cut": 5})),
        made(
            "lora-r8",
            "arc",
            training_left_out={GRAM: 4},
            cost=COST.model_copy(update={"rows_cut": 7, "rows_masked": 4}),
        ),
        made("full", "arc", batched_by=4),
    ]
    assert list(passed_over(records)) == [
        "arc: rows of the evaluation data left out: 2 (not four choices), 1 (asked already)",
        "arc: up to 1 prompts a cell were longer than the window and lost their middle",
        f"{records[-1].cell}: memory ran out in the batched pass, which went on by 4 questions",
        f"arc: training rows left out: 4 ({GRAM})",
        "arc: training rows longer than max_length, which lost their end: 5",
        "arc: training rows left out, for their prompts alone fill max_length: 4",  # and so lost no end: not told twice
    ]
    assert list(passed_over([made(lines=[line()])])) == []


def test_seeds_that_differ_are_told_one_by_one() -> None:
    """No seed's number is lost behind another's, whatever the order of the methods, and none left out is told too."""
    numbers = {0: {GRAM: 0}, 1: {GRAM: 0}, 2: {GRAM: 1, "asked in evaluation": 2}}
    records = [
        made(method, "arc", seed=seed, training_left_out=left_out, cost=COST.model_copy(update={"rows_masked": seed}))
        for method in ("lora-r4", "full")
        for seed, left_out in numbers.items()
    ]
    told = f"0, 0, 1 of seeds 0, 1, 2 ({GRAM}), 0, 0, 2 of seeds 0, 1, 2 (asked in evaluation)"
    masked = "arc: training rows left out, for their prompts alone fill max_length: 0, 1, 2 of seeds 0, 1, 2"
    assert list(passed_over(records)) == [f"arc: training rows left out: {told}", masked]
    assert next(passed_over(records[:2])) == f"arc: training rows left out: 0 ({GRAM})"


def test_it_stands_under_the_table_of_output() -> None:
    """A report of records says it as the run did."""
    record = made("full", "arc", lines=[line()], training_left_out={GRAM: 0}, cost=COST)
    assert output_table(gathered([from_record(record)])).notes == (f"arc: training rows left out: 0 ({GRAM})",)
