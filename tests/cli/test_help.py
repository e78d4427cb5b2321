"""What `--help` shows of every command: each option with its words, brackets included."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tunescale_core.cli import app

WIDE = {"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"}


def commands(one: Any, *names: str) -> dict[tuple[str, ...], Any]:
    """Return every command below another, by the words that call it."""
    below = getattr(one, "commands", None)
    if below is None:
        return {names: one}
    return {words: found for name in below for words, found in commands(below[name], *names, name).items()}


ALL = commands(typer.main.get_command(app))


def test_all_commands_are_found() -> None:
    """There is something to look at."""
    assert {("advise",), ("store", "ls")} <= set(ALL)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_no_word_of_the_help_is_lost(words: tuple[str, ...]) -> None:
    """Words in brackets are no markup: each option's help stands on the screen as it was written."""
    shown = re.sub(r"[\s│]+", " ", CliRunner().invoke(app, [*words, "--help"], env=WIDE).output)
    for parameter in ALL[words].params:
        told = getattr(parameter, "help", None)
        if told:
            assert re.sub(r"\s+", " ", told.replace("\\[", "[")).rstrip(".") in shown, parameter.name
