"""What a study asks of a deployment: sizes and durations as people write them, and what no study can mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.study.test_study import FULL, HEAD, MODEL, TASK, refusal, written
from tunescale_core.study.constraints import SECONDS, Deployment, duration, latency_limit, size
from tunescale_core.study.loading import load

STUDY = HEAD + MODEL + FULL + TASK + "[tasks.squad_v2]\n[serving.static]\n[constraints]\n"


@given(st.integers(1, 10**6), st.sampled_from([("B", 1), ("KiB", 2**10), ("MB", 10**6), ("GiB", 2**30), ("GB", 10**9)]))
def test_a_size_is_its_number_of_units(number: int, unit: tuple[str, int]) -> None:
    """Any whole number of any unit is so many bytes."""
    assert size(f"{number} {unit[0]}") == size(f"{number}{unit[0]}") == number * unit[1]


@given(st.floats(0, 1e6).map(lambda number: f"{number:.3f}"), st.sampled_from(list(SECONDS)))
def test_a_duration_is_its_number_of_units(number: str, unit: str | None) -> None:
    """Seconds need no unit; minutes, hours and days have one."""
    assert duration(f"{number}{unit or ''}") == pytest.approx(float(number) * SECONDS[unit])


@given(st.text(max_size=8))
def test_any_text_is_read_or_refused_in_a_line(text: str) -> None:
    """Whatever is written for a size or a duration is one, or ends in one line."""
    for read in (size, duration):
        said = ""
        try:
            assert read(text) >= 0
        except ValueError as error:
            said = str(error)
        assert "\n" not in said


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_a_limit_on_latency_is_a_positive_number(seconds: float) -> None:
    """No call takes no time."""
    with pytest.raises(ValueError, match="more than 0 seconds"):
        latency_limit(seconds)


@pytest.mark.parametrize(("number", "read"), [(8e9, 8 * 10**9), (1e16, 10**16), (8_000_000_000, 8 * 10**9)])
def test_numbers_are_bytes_and_seconds(number: float, read: int) -> None:
    """A number without quotes is bytes, or seconds, however large or small."""
    assert size(number) == read
    assert duration(number) == number
    assert duration(1e-5) == 1e-5


def test_a_study_says_what_it_asks(tmp_path: Path) -> None:
    """Bars by task and metric, and limits as people write them, are read into numbers; the rest asks nothing."""
    text = (
        'min.arc.macro_f1 = 0.7\nmin.squad_v2.f1 = 60\nmax_latency = 0.5\nlatency_stat = "p95"\n'
        'max_memory = "8GiB"\nmax_cost = "2h"\nserving = "any"\n'
    )
    asked = load(str(written(tmp_path, STUDY + text))).constraints
    assert asked is not None
    assert asked.bars == (("arc", "macro_f1", 0.7), ("squad_v2", "f1", 60.0))
    assert (asked.max_latency, asked.latency_stat) == (0.5, "p95")
    assert (asked.max_memory, asked.max_cost, asked.serving) == (8 * 2**30, 7200.0, "any")
    assert Deployment().bars == ()
    assert load(str(written(tmp_path, HEAD + MODEL + FULL + TASK))).constraints is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_latency = 1", "constraints: which task is it for? Give maximise, as task:metric, or min"),
        ("min.ark.macro_f1 = 0.5", "constraints.min.ark.macro_f1: the study has no task 'ark'; it has arc, squad_v2"),
        ("min.arc.f1 = 0.5", "constraints.min.arc.f1: arc has no metric 'f1'; it has macro_f1, accuracy"),
        ("min.arc.macro_f1 = 70", "constraints.min.arc.macro_f1: "),
        ("min.arc = 0.7", "constraints.min.arc: "),
        ("min.arc.macro_f1 = nan", "constraints.min.arc.macro_f1: "),
        ('maximise = "arc"', "constraints.maximise: arc has no metric ''"),
        ('maximise = "arc:f1"', "constraints.maximise: arc has no metric 'f1'"),
        ('min.arc.macro_f1 = 0.5\nmax_memory = "8"', "constraints.max_memory: cannot read '8' as a size"),
        ('min.arc.macro_f1 = 0.5\nmax_cost = "soon"', "constraints.max_cost: cannot read 'soon' as a duration"),
        (
            'min.arc.macro_f1 = 0.5\nmax_latency = "soon"',
            "constraints.max_latency: cannot read 'soon' as a latency: give seconds",
        ),
        ("min.arc.macro_f1 = 0.5\nmax_latency = true", "constraints.max_latency: "),
        ("min.arc.macro_f1 = true", "constraints.min.arc.macro_f1: "),
        ('min.arc.macro_f1 = "0.5"', "constraints.min.arc.macro_f1: "),
        ("min.arc.macro_f1 = 0.5\nmax_memory = -8000000000", "constraints.max_memory: cannot read '-8000000000'"),
        ("min.arc.macro_f1 = 0.5\nmax_memory = true", "constraints.max_memory: cannot read 'True'"),
        ("min.arc.macro_f1 = 0.5\nmax_cost = [1]", "constraints.max_cost: cannot read '[1]'"),
        ("min.arc.macro_f1 = 0.5\nmax_cost = -1", "constraints.max_cost: cannot read '-1'"),
        ("min.arc.macro_f1 = 0.5\nmax_latency = 0", "constraints.max_latency: a latency limit must be more than 0"),
        ('min.arc.macro_f1 = 0.5\nlatency_stat = "p90"', "constraints.latency_stat: "),
        (
            'min.arc.macro_f1 = 0.5\nserving = "4bit"',
            "constraints.serving: nothing is served by '4bit'; there is eager",
        ),
        ("min.arc.macro_f1 = 0.5\nmax_vram = 1", "constraints.max_vram: unknown key; "),
    ],
)
def test_what_no_deployment_can_keep_to_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """A task, metric, value or way that the study does not have ends in one line with the key."""
    assert refusal(tmp_path, STUDY + text).startswith(said)
