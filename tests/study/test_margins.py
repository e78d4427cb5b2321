"""How far a figure may move: the grammar of margins and where a study declares them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.errors import StudyError
from tunescale_core.study.loading import load
from tunescale_core.study.margins import DEFAULTS, STRICT, Gate, Margin, direction, parse_margin
from tunescale_core.tasks.task import Direction

STUDY = """
[study]
name = "s"
[models.m]
source = "embedded:mini-small"
[methods.full]
[tasks.arc]
[tasks.openmath]
"""
AMOUNTS = st.floats(0.001, 1000).map(lambda value: float(f"{value:g}"))


@pytest.mark.parametrize(
    ("text", "better", "margin"),
    [
        ("-0.02", "higher", Margin(0.02)),
        ("+0.5", "lower", Margin(0.5)),
        ("+5%", "lower", Margin(0.05, relative=True)),
        ("±5%", "higher", Margin(0.05, relative=True, both=True)),
        ("+-.5", "lower", Margin(0.5, both=True)),
        ("0", "higher", STRICT),
        (" - 3 % ", "higher", Margin(0.03, relative=True)),
    ],
)
def test_a_margin_is_read(text: str, better: Direction, margin: Margin) -> None:
    """A sign, an amount and perhaps a percent sign make a margin."""
    assert parse_margin(text, better) == margin


@pytest.mark.parametrize(
    ("text", "better", "said"),
    [
        ("+0.02", "higher", "the direction in which it gets better: write -0.02"),
        ("-5%", "lower", "the direction in which it gets better: write +5%"),
        ("0.02", "higher", "has no sign: write -0.02 or ±0.02"),
        ("2 points", "higher", "is no margin: write it as -0.02, +5% or ±5%"),
        ("", "higher", "is no margin"),
        ("-1e999", "higher", "is no margin"),
    ],
)
def test_what_is_no_margin_says_what_to_write(text: str, better: Direction, said: str) -> None:
    """A margin in the better direction, without a sign, or of another form is refused with the form to use."""
    with pytest.raises(ValueError, match=said.replace("+", r"\+")):
        parse_margin(text, better)


@given(amount=AMOUNTS, relative=st.booleans(), both=st.booleans(), better=st.sampled_from(["higher", "lower"]))
def test_a_margin_is_shown_as_it_is_written(amount: float, relative: bool, both: bool, better: Direction) -> None:  # noqa: FBT001
    """What is shown of a margin reads back as the margin."""
    margin = Margin(amount, relative, both)
    again = parse_margin(margin.shown(better), better)
    assert (again.relative, again.both) == (relative, both)
    assert again.amount == pytest.approx(amount, rel=1e-4)


def test_a_share_is_of_the_baseline() -> None:
    """A relative margin allows a share of the baseline's value, whatever its sign."""
    assert Margin(0.05, relative=True).allowed(-40) == 2.0
    assert Margin(0.05).allowed(40) == 0.05


def test_the_nearest_declaration_counts() -> None:
    """A cell's own table is stronger than the study's, and a task's metric stronger than the metric alone."""
    gate = Gate.model_validate(
        {
            "accuracy": "-0.05",
            "arc": {"accuracy": "-0.04"},
            "cells": {"m-full*": {"accuracy": "-0.03"}, "m-full-on-arc*": {"arc": {"accuracy": "-0.02"}}},
        }
    )
    found = [
        gate.margin(cell, task, "accuracy", "higher").amount
        for cell, task in [
            ("m-base", "openmath"),
            ("m-base", "arc"),
            ("m-full", "arc"),
            ("m-full-on-arc-for-arc", "arc"),
        ]
    ]
    assert found == [0.05, 0.04, 0.03, 0.02]
    assert gate.margin("m", "arc", "pace", "lower") == DEFAULTS["pace"]
    assert gate.margin("m", "arc", "tokens", "lower") == STRICT


def test_directions_of_what_has_no_task() -> None:
    """Tokens, parameters and times are better when lower; a task's metric says it itself."""
    assert [direction(name, "higher") for name in ("tokens", "parameters", "latency", "pace")] == ["lower"] * 4
    assert (direction("f1", "higher"), direction("abs_diff", "lower"), direction("parse_rate")) == (
        "higher",
        "lower",
        "higher",
    )


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[gate]\narc.f2 = "-1"', "gate.arc.f2: 'f2' is not gated; there are macro_f1, accuracy, parse_rate, tokens"),
        ('[gate]\nsquad_v2.f1 = "-1"', "gate.squad_v2.f1: the study has no task 'squad_v2'; it has arc, openmath"),
        ('[gate]\nopenmath.abs_diff = "-1"', "gate.openmath.abs_diff: '-1' is the direction in which it gets better"),
        ("[gate]\narc.macro_f1 = 0.02", "gate: arc.macro_f1: 0.02 is no margin: write it in quotes"),
        ('[gate.cells."m*"]\narc.macro_f1 = "x"', "gate.cells.m*.arc.macro_f1: 'x' is no margin"),
        ("[gate]\nblocks = 2", "gate.blocks: "),
        ('[gate]\nundecided = "warn"', "gate.undecided: "),
    ],
)
def test_a_gate_that_cannot_be_meant_is_refused(tmp_path: Path, table: str, said: str) -> None:
    """A margin of what no task measures, in the wrong direction or form, ends in one line with its key."""
    path = tmp_path / "s.toml"
    path.write_text(STUDY + table)
    with pytest.raises(StudyError) as caught:
        load(str(path))
    assert said in str(caught.value)


def test_a_study_declares_its_gate(tmp_path: Path) -> None:
    """`[gate]` holds margins and settings; what it leaves out has a default."""
    path = tmp_path / "s.toml"
    path.write_text(STUDY + '[gate]\nblocks = 6\nreference = "m-base"\ntokens = "+5%"\narc.macro_f1 = "-0.02"\n')
    gate = load(str(path)).gate
    assert (gate.blocks, gate.reference, gate.undecided) == (6, "m-base", "pass")
    assert gate.margins == {"tokens": "+5%", "arc.macro_f1": "-0.02"}
