"""What a deployment must keep to: as it is written on a command line, and one line for what cannot be read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import record as made
from tunescale_core.advice.constraints import (
    STATS,
    Bar,
    Constraints,
    objective_of,
    parse_bar,
    parse_duration,
    parse_latency,
    parse_memory,
    parse_minimum,
    parse_stat,
)
from tunescale_core.errors import ResultsError
from tunescale_core.results.published import reference
from tunescale_core.results.result import from_record
from tunescale_core.results.results import Results
from tunescale_core.tasks import TASKS

PAPER = reference("paper")
ARC = Results((from_record(made(metrics={"macro_f1": 0.5})),), "one task")
F1 = Bar("arc", TASKS["arc"].primary, None)


def refused(read: Callable[[], object]) -> str:
    """Return the one line that says why something cannot be read."""
    with pytest.raises(ResultsError) as caught:
        read()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "task", "metric", "value"),
    [
        ("arc:macro_f1=0.5", "arc", "macro_f1", 0.5),
        (" arc:macro_f1=0.5 ", "arc", "macro_f1", 0.5),
        ("arc:accuracy", "arc", "accuracy", None),
        ("openmath:abs_diff=1e3", "openmath", "abs_diff", 1000.0),
        ("squad_v2:f1=60", "squad_v2", "f1", 60.0),
    ],
)
def test_a_bar_names_task_metric_and_value(text: str, task: str, metric: str, value: float | None) -> None:
    """`TASK:METRIC=VALUE` is read into its three parts, and without a value there is none."""
    found = parse_bar(PAPER, text)
    assert (found.task, found.metric.name, found.value) == (task, metric, value)


@given(st.floats(0, 1))
def test_any_share_can_be_a_bar(value: float) -> None:
    """Every number in the metric's range comes out of a bar as it went in."""
    assert parse_bar(PAPER, f"arc:macro_f1={value!r}").value == value


@pytest.mark.parametrize(
    ("text", "said"),
    [("arc:macro_f1=5", "a share from 0 to 1"), ("squad_v2:f1=0.6", "in percent"), ("squad_v2:f1=-1", "in percent")],
)
def test_a_bar_in_another_unit_is_refused(text: str, said: str) -> None:
    """A percentage for a share, and a share for a percentage, would each be reached by nothing or by everything."""
    assert said in refused(lambda: parse_bar(PAPER, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("arc", "give TASK:METRIC=VALUE"),
        ("", "give TASK:METRIC=VALUE"),
        ("arc:macro_f1=", "give TASK:METRIC=VALUE"),
        ("arc:macro_f1=half", "give TASK:METRIC=VALUE"),
        ("arc:macro_f1>0.5", "give TASK:METRIC=VALUE"),
        ("arc:macro_f1=1.2.3", "'1.2.3' is no number"),
        ("arc:macro_f1=1e999", "'1e999' is no number"),
        ("chess:macro_f1=0.5", "no task 'chess'"),
        ("arc:abs_diff=0.5", "task arc has no metric 'abs_diff'; it has macro_f1, accuracy, parse_rate"),
    ],
)
def test_what_is_no_bar_is_told(text: str, said: str) -> None:
    """A bar of another form, an unknown task, an unknown metric, and what is no number each have their line."""
    assert said in refused(lambda: parse_bar(PAPER, text))


@pytest.mark.parametrize(
    ("text", "read"),
    [("arc:macro_f1=0.5", "arc macro_f1 ≥ 0.5"), ("openmath:abs_diff=500", "openmath abs_diff ≤ 500")],
)
def test_a_bar_reads_in_its_metrics_direction(text: str, read: str) -> None:
    """A bar is at least for what is better higher, and at most for what is better lower."""
    assert parse_bar(PAPER, text).text == read


@pytest.mark.parametrize(
    ("text", "size"),
    [("8GiB", 8 * 2**30), ("8 GiB", 8 * 2**30), ("1.5kib", 1536), ("2GB", 2 * 10**9), ("1024", 1024), ("0", 0)],
)
def test_sizes(text: str, size: int) -> None:
    """A size is bytes, or a number with a decimal or a binary unit."""
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "much", "8XB", "-1GiB", "nan"])
def test_what_is_no_size_is_told(text: str) -> None:
    """What is no size is told in a line that shows it and the form."""
    said = refused(lambda: parse_memory(text))
    assert repr(text) in said
    assert "as 8GiB" in said


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("90m", 5400), ("2h", 7200), ("1d", 86400), ("1.5 h", 5400), (" 2h ", 7200), ("0", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    """A duration is seconds, or a number with s, m, h or d."""
    assert parse_duration(text) == seconds


@given(st.floats(0, 1e9), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]))
def test_any_number_of_any_unit_is_a_duration(number: float, unit: tuple[str, int]) -> None:
    """A unit multiplies whatever number stands before it."""
    text = f"{number:.6f}"
    assert parse_duration(text + unit[0]) == pytest.approx(float(text) * unit[1])


@pytest.mark.parametrize("text", ["", "soon", "-90", "2w", "1h30m", "nan", "inf"])
def test_what_is_no_duration_is_told(text: str) -> None:
    """What is no duration is told in a line that shows it and the form."""
    said = refused(lambda: parse_duration(text))
    assert repr(text) in said
    assert "90m, 2h, 1d" in said


def test_statistics_by_name() -> None:
    """Each statistic is known by its name, and an unknown one is told with those that are."""
    assert [parse_stat(name) for name in STATS] == list(STATS)
    assert refused(lambda: parse_stat("p90")) == "no latency statistic 'p90'; known are mean, median, p95, p99"


@pytest.mark.parametrize(
    ("results", "wish", "bars", "found"),
    [
        (PAPER, "openmath:abs_diff", ("arc:macro_f1=0.5",), "openmath abs_diff"),
        (PAPER, None, ("squad_v2:f1=20", "arc:macro_f1=0.5"), "squad_v2 f1"),
        (ARC, None, (), "arc macro_f1"),
    ],
)
def test_what_is_maximised(results: Results, wish: str | None, bars: tuple[str, ...], found: str) -> None:
    """The wish comes first, then the first bar's metric, then the only task's primary one."""
    objective = objective_of(results, wish, [parse_bar(results, text) for text in bars])
    assert f"{objective.task} {objective.metric.name}" == found
    assert objective.value is None


def test_what_is_to_be_maximised_must_be_told() -> None:
    """Several tasks without a wish or a bar are a question, which names the tasks and the options."""
    said = refused(lambda: objective_of(PAPER, None, ()))
    assert "--maximise TASK:METRIC or --min" in said
    assert "arc, openmath, squad_v2" in said


def test_a_deployment_serves_the_tasks_that_are_named() -> None:
    """The objective's task and those with a bar are served, each once."""
    bars = tuple(parse_bar(PAPER, text) for text in ("squad_v2:f1=10", "arc:macro_f1=0.1", "arc:macro_f1=0.2"))
    assert Constraints(F1, bars).tasks == ("arc", "squad_v2")


@pytest.mark.parametrize("text", ["8GiB or so", "8GiB 4", "1.5.5GiB", "8,5GiB", "-1GiB"])
def test_a_mistyped_size_is_no_small_limit(text: str) -> None:
    """A size with anything after it, or two points in it, is refused rather than read in part."""
    assert "as a size" in refused(lambda: parse_memory(text))


def test_what_must_be_reached_has_a_value() -> None:
    """A bar without a value is refused with how to write it."""
    assert "as arc:macro_f1=0.5" in refused(lambda: parse_minimum(reference("paper"), "arc:macro_f1"))


@pytest.mark.parametrize(
    ("text", "said"),
    [("0", "more than 0"), ("0ms", "more than 0"), ("-1", "cannot read"), ("nan", "cannot read"), ("fast", "as 250ms")],
)
def test_a_latency_limit_is_a_time_above_zero(text: str, said: str) -> None:
    """No call takes no time, and what is no time is refused with how to write one."""
    assert said in refused(lambda: parse_latency(text))


@pytest.mark.parametrize(("text", "seconds"), [("0.5", 0.5), ("250ms", 0.25), ("1.5 s", 1.5), ("2m", 120)])
def test_a_latency_limit_takes_a_unit(text: str, seconds: float) -> None:
    """Seconds, or a number with a unit, as durations are written."""
    assert parse_latency(text) == pytest.approx(seconds)


def test_a_size_without_a_unit_is_bytes() -> None:
    """A few bytes are no memory: 8 is meant to be GiB, and that is to be written."""
    with pytest.raises(ResultsError, match="8 bytes are too few, so give a unit, as 8GiB"):
        parse_memory("8")
