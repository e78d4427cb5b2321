"""`tunescale pretrain`: what it does not know."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from tunescale_core.cli import app
from tunescale_core.cli.sources import USAGE


def test_an_unknown_model_ends_in_one_line(tmp_path: Path) -> None:
    """A model that is none of the embedded family is told with those that are, exit code 4, and nothing is written."""
    ran = CliRunner().invoke(app, ["pretrain", "mini-huge", "--out", str(tmp_path / "out")])
    assert ran.exit_code == USAGE
    assert ran.stderr == "tunescale: no embedded model 'mini-huge'; known are mini-small, mini-large\n"
    assert not (tmp_path / "out").exists()
