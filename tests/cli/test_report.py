"""`tunescale report`: the tables of a published table, or of records, in any format."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.making import line
from tests.making import record as made
from tunescale_core.cli import app
from tunescale_core.cli.sources import USAGE
from tunescale_core.records.files import write

PAPER = str(Path(__file__).parents[2] / "benchmarks" / "baselines" / "paper_table1.csv")
FORMATS = ("terminal", "markdown", "latex", "csv", "json")


def report(*words: str) -> Result:
    return CliRunner().invoke(app, ["report", *words])


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_printed(form: str) -> None:
    """Each format of the paper's table has its figures and ends in one newline, exit code 0."""
    ran = report("--table", PAPER, "--format", form)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert all(figure in ran.stdout for figure in ("0.7986", "0.4905", "0.1908"))
    assert ran.stdout.endswith("\n")
    assert not ran.stdout.endswith("\n\n")


def test_a_terminal_is_the_default() -> None:
    """Without a format the tables are a terminal's."""
    assert report("--table", PAPER).stdout == report("--table", PAPER, "--format", "terminal").stdout


def test_json_is_read_by_name() -> None:
    """A program reads Tables 1 to 3 by name, sixteen rows in the first."""
    found = json.loads(report("--table", PAPER, "--format", "json").stdout)
    assert {"table1", "table2", "table3", "transfer"} <= set(found)
    assert len(found["table1"]["rows"]) == 16


def test_csv_is_read_by_part() -> None:
    """The first part is Table 1 as a spreadsheet reads it, full precision."""
    text = report("--table", PAPER, "--format", "csv").stdout
    name, body = text.split("\n\n")[0].split("\n", 1)
    rows = list(csv.DictReader(io.StringIO(body)))
    assert name == "# table1"
    assert len(rows) == 16
    assert [row["arc F1"] for row in rows if row["model"] == "Qwen3-1.7B"] == ["0.7986"]


@pytest.mark.parametrize(
    ("ties", "rank", "seconds", "rule"),
    [("first", 1024, 0.1951, "of equals the first row"), ("latency", 256, 0.1908, "of equals the lower latency")],
)
def test_the_tie_rule_is_heard_and_told(ties: str, rank: int, seconds: float, rule: str) -> None:
    """SQuAD's best LoRA is by the rule asked for, which the table's notes name."""
    table = json.loads(report("--table", PAPER, "--ties", ties, "--format", "json").stdout)["table2"]
    (row,) = [row for row in table["rows"] if row["task"].startswith("squad_v2")]
    assert (row["best LoRA_rank"], row["best LoRA_s ↓"]) == (rank, seconds)
    assert rule in " ".join(table["notes"])


def test_a_reference_stands_beside_records(tmp_path: Path) -> None:
    """One's own untuned model has the paper's untuned model beside it."""
    for method, trained_on in (("base", None), ("full", "arc")):
        write(made(method, trained_on, lines=[line()]), tmp_path)
    ran = report(str(tmp_path), "--reference", "paper", "--format", "json")
    assert ran.exit_code == 0
    rows = {row["method"]: row for row in json.loads(ran.stdout)["table1"]["rows"]}
    assert (rows["base"]["arc_F1"], rows["base"]["paper arc_F1"]) == (0.25, 0.4932)
    assert rows["full"]["paper arc_s"] == 0.0803


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "there is no folder nowhere, and no study of that name"),
        (["--table", "nowhere.csv"], "table nowhere.csv cannot be read"),
        (["folder", "--table", PAPER], "give a folder of records or --table, not both"),
        (["--table", PAPER, "--format", "word"], "no format 'word'; known are terminal, markdown, latex, csv, json"),
        (["--table", PAPER, "--ties", "last"], "no tie-break rule 'last'; known are latency, first"),
        (["--table", PAPER, "--reference", "nobody"], "no reference 'nobody'"),
    ],
)
def test_bad_input_ends_in_one_line(words: Sequence[str], said: str) -> None:
    """What cannot be read or is not known is told in one line on stderr, exit code 4, and nothing is printed."""
    ran = report(*words)
    assert (ran.exit_code, ran.stdout) == (USAGE, "")
    assert ran.stderr.startswith("tunescale: ")
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_lines_without_a_page_are_refused() -> None:
    """Bars are drawn on the page alone, so without one they would do nothing, which is said."""
    ran = report("--table", PAPER, "--max-latency", "1")
    assert ran.exit_code == USAGE
    assert "give --html too" in ran.stderr


STUDY = """
[study]
name = "mine"
[models.m]
source = "embedded:mini-small"
[tasks.arc]
[constraints]
min.arc.macro_f1 = 0.5
max_latency = 5
"""


def page(folder: Path, *words: str) -> str:
    """Return the page that is written."""
    ran = report("--table", PAPER, "--html", str(folder / "page.html"), *words)
    assert (ran.exit_code, ran.stderr) == (0, "")
    return (folder / "page.html").read_text(encoding="utf-8")


def lines(written: str) -> list[float]:
    """Return where lines are drawn into Figure 1."""
    data = json.loads(re.search(r'id="data">(.*?)</script>', written, re.DOTALL)[1])  # type: ignore[index]
    shapes = data["plots"][data["names"].index("quality-latency")]["layout"].get("shapes", [])
    return [one["x0"] for one in shapes if one["x0"] == one["x1"]]


def test_a_references_columns_belong_to_its_tasks(tmp_path: Path) -> None:
    """The page's filter by task finds the columns of a reference's figures, which carry its name before the task's."""
    write(made("base", lines=[line()]), tmp_path / "records")
    page = tmp_path / "page.html"
    assert report(str(tmp_path / "records"), "--reference", "paper", "--html", str(page)).exit_code == 0
    heads = re.findall(r'<th scope="col" data-task="([^"]*)"><button type="button">paper arc', page.read_text())
    assert heads
    assert set(heads) == {"arc"}


def test_a_page_advises_where_something_is_asked(tmp_path: Path) -> None:
    """What a study or the options ask is advised on the page, and its limits are lines in Figure 1."""
    (tmp_path / "mine.toml").write_text(STUDY)
    by_study = page(tmp_path, "--study", str(tmp_path / "mine.toml"))
    assert '<section id="advice"' in by_study
    assert "(constraints: arc macro_f1 ≥ 0.5, mean latency ≤ 5 s; of what keeps to them the best macro_f1" in by_study
    assert set(lines(by_study)) == {5}
    by_option = page(tmp_path, "--min", "arc:macro_f1=0.5", "--max-latency", "3")
    assert "Ship Qwen3-0.6B-full-on-openmath." in by_option
    assert set(lines(by_option)) == {3}


def test_a_page_does_not_advise_where_nothing_is(tmp_path: Path) -> None:
    """Without constraints, or where they do not say which task it is for, a page has no advice; a limit is drawn."""
    assert 'id="advice"' not in page(tmp_path)
    vague = page(tmp_path, "--max-latency", "3")
    assert 'id="advice"' not in vague
    assert set(lines(vague)) == {3}


def test_what_cannot_be_advised_costs_no_page(tmp_path: Path) -> None:
    """Constraints on a task that was not measured, or not so, are told on the page that all the rest stands on."""
    (tmp_path / "mine.toml").write_text(STUDY.replace("[constraints]", '[constraints]\nserving = "any"'))
    assert "none: " not in page(tmp_path, "--study", str(tmp_path / "mine.toml"))
    (tmp_path / "mine.toml").write_text(STUDY.replace("macro_f1 = 0.5", "accuracy = 0.5"))
    assert "none: " in page(tmp_path, "--study", str(tmp_path / "mine.toml"))
    asked = STUDY.replace("[tasks.arc]", '[tasks.route]\ntask = "arc"\ndata = "embedded"').replace(
        "min.arc", "min.route"
    )
    (tmp_path / "mine.toml").write_text(asked)
    other = page(tmp_path, "--study", str(tmp_path / "mine.toml"))
    assert "none: no task &#39;route&#39; in " in other


def test_only_what_the_axes_show_is_drawn(tmp_path: Path) -> None:
    """A limit on a percentile, or by another way of serving, is no line among means of eager calls."""
    for key in ('latency_stat = "p95"', 'serving = "any"'):
        (tmp_path / "mine.toml").write_text(STUDY.replace("[constraints]", f"[constraints]\n{key}"))
        assert lines(page(tmp_path, "--study", str(tmp_path / "mine.toml"))) == []
    (tmp_path / "mine.toml").write_text(STUDY)
    assert len(lines(page(tmp_path, "--study", str(tmp_path / "mine.toml")))) == 1
    assert len(lines(page(tmp_path, "--max-latency", "3"))) == 3


def test_a_baseline_is_no_folder_of_records(tmp_path: Path) -> None:
    """Tables of a baseline's folder are refused by what it is, and not by a schema that its file has not."""
    (tmp_path / "baseline.json").write_text("{}")
    ran = report(str(tmp_path))
    assert ran.exit_code == USAGE
    assert (
        ran.stderr == f"tunescale: {tmp_path} is a baseline, for tunescale gate --baseline: give a folder of records\n"
    )
