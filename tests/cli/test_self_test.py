"""`tunescale gate`: how far paces can be gated here."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.pacing import drawn
from tunescale_core.cli import app
from tunescale_core.cli.sources import USAGE
from tunescale_core.errors import PaceError
from tunescale_core.gates import selftest


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Runs of a quiet machine, and what they were asked for with."""
    asked: list[tuple[object, ...]] = []
    rng = np.random.default_rng(0)

    def record(minutes: float, blocks: int, progress: object) -> list[selftest.Run]:
        asked.append((minutes, blocks, progress))
        return [{"mini-large-base": drawn(rng, 0.01, n=blocks, reference="mini-small-base")} for _ in range(5)]

    monkeypatch.setattr(selftest, "record", record)
    return asked


def test_the_table_has_rates_with_intervals(recorded: list[tuple[object, ...]]) -> None:
    """A pair's row has its spread, its false alarms and what it catches, and says what that rests on."""
    ran = CliRunner().invoke(app, ["gate", "--self-test", "--blocks", "8", "--minutes", "0.5"])
    assert ran.exit_code == 0
    assert recorded[0][:2] == (0.5, 8)
    row = next(line for line in ran.stdout.splitlines() if line.startswith("mini-large-base"))
    assert "0.0% (0%–79%)" in row
    assert "100.0% (21%–100%)" in row
    assert "5 runs of 8 blocks; margin +3%, one-sided level 5%" in ran.stdout


def test_json_has_the_figures(recorded: list[tuple[object, ...]]) -> None:
    """With --json the same is numbers."""
    ran = CliRunner().invoke(app, ["gate", "--self-test", "--json"])
    found = json.loads(ran.stdout)
    assert recorded[0][:2] == (2.0, 10)
    assert (found["runs"], found["blocks"]) == (5, 10)
    (pair,) = found["pairs"]
    assert pair["caught"]["0.1"]["value"] == 1.0
    assert 0 < pair["spread"] < 0.03


def test_what_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that died ends the command in one line."""

    def record(*_: object) -> None:
        raise PaceError("mini-small-base: its process ended with -9")

    monkeypatch.setattr(selftest, "record", record)
    ran = CliRunner().invoke(app, ["gate", "--self-test"])
    assert ran.exit_code == USAGE
    assert ran.stderr == "tunescale: mini-small-base: its process ended with -9\n"


def test_nothing_asked_is_refused() -> None:
    """Without an option there is nothing to do."""
    ran = CliRunner().invoke(app, ["gate"])
    assert ran.exit_code == USAGE
    assert "--self-test" in ran.stderr
