"""Gates as a user meets them: real pytest runs whose cells are measured by records that a test wrote."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.making import line, record
from tunescale_core.gates.baseline import FOLDER, save
from tunescale_core.records.files import write
from tunescale_core.records.record import Record
from tunescale_core.study.grid import cells
from tunescale_core.study.loading import load
from tunescale_core.tasks import Answer

STUDY = """
[study]
name = "small"
[models.m]
source = "embedded:mini-small"
[methods.full]
[tasks.arc]
[tasks.squad_v2]
[gate]
blocks = 4
"""
MODULE = """
def test_small(measure, thresholds):
    thresholds(measure())
"""
CONFTEST = """
from pathlib import Path

import pytest

from tunescale_core.plugin.session import SESSION
from tunescale_core.records.files import read


@pytest.fixture
def thresholds():
    return lambda record: None


@pytest.fixture
def measure(cell, request):
    def measured():
        record = read(Path("measured") / f"{cell.id}.json")
        request.config.stash[SESSION].records.append(record)
        if record.error:
            pytest.fail(record.error, pytrace=False)
        return record

    return measured
"""
HASHES = {"examples": "e" * 64, "prompts": "f" * 64, "protocol": "a" * 64}
N = 300
Run = Callable[..., subprocess.CompletedProcess[str]]


def measured(share: float = 0.8, **fields: object) -> list[Record]:
    """Return a record a cell, of which so many answers are right."""
    found = []
    for cell in cells(load("small.toml")):
        golds = ("A", "B", "C", "D")
        answers = [Answer((golds[n % 4],), golds[n % 4] if n < share * N else golds[(n + 1) % 4]) for n in range(N)]
        lines = [
            line(answer, cell.task, place, tokens=6, seconds=None, first_token_seconds=None)
            for place, answer in enumerate(answers)
        ]
        variant = cell.variant
        known = {"cell": cell.id, "kind": cell.task, "hashes": HASHES, "study": "small"}
        found.append(record(variant.method, variant.task, cell.task, lines, **(known | fields)))
    return found


def place(records: list[Record]) -> None:
    for one in records:
        write(one, Path("measured"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in a project of a study file and a test module, four cases, with a baseline `main`."""
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(STUDY)
    Path("test_small.py").write_text(MODULE)
    Path("conftest.py").write_text(CONFTEST)
    save(measured(), [], FOLDER / "main")
    place(measured())

    def ran(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--study", "small.toml", *words]
        environment = {name: value for name, value in os.environ.items() if name != "GITHUB_STEP_SUMMARY"} | variables
        environment.pop("PYTEST_ADDOPTS", None)
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    return ran


def test_an_unchanged_run_holds(run: Run) -> None:
    """The same records give verdicts that all pass, an item each, and exit code 0."""
    done = run("--baseline", "main", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\ngate::m-base-for-arc::case PASSED" in done.stdout
    assert "\ngate::m-full-on-arc-for-squad_v2::f1 PASSED" in done.stdout
    assert "against baseline main: holds" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_worse_run_fails_with_a_line(run: Run) -> None:
    """Fewer right answers in every case are regressions: one clean line each, exit code 1."""
    place(measured(0.6))
    done = run("--baseline", "main")
    assert done.returncode == 1
    assert "m-base-for-arc macro_f1: 0.8" in done.stdout
    assert ": regression (" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "against baseline main: regression" in done.stdout


def test_a_failed_case_is_a_regression(run: Run) -> None:
    """A case that fails now fails its verdict too, with its own error."""
    place([measured()[0].model_copy(update={"error": "ModelError: gone", "lines": (), "summary": None})])
    done = run("--baseline", "main")
    assert done.returncode == 1
    assert f"{measured()[0].cell} case: regression (ModelError: gone)" in done.stdout
    assert "2 failed" in done.stdout


def test_a_dropped_case_is_a_regression_but_one_not_selected_is_not(run: Run) -> None:
    """A case that the study no longer has fails; one that -k left out is counted as not compared."""
    assert (done := run("--baseline", "main", "-k", "base")).returncode == 0, done.stdout
    assert "not selected in this run, so not compared: 4 cases" in done.stdout
    Path("small.toml").write_text(STUDY.replace("[methods.full]", ""))
    done = run("--baseline", "main")
    assert done.returncode == 1
    assert "m-full-on-arc-for-arc case: regression (missing from this run)" in done.stdout


def test_other_prompts_are_refused_and_nothing_compared_is_5(run: Run) -> None:
    """Where every prompt changed nothing can be compared: exit code 5, and a line says what differs."""
    place(measured(hashes=HASHES | {"prompts": "0" * 64}))
    done = run("--baseline", "main")
    assert done.returncode == 5
    assert "m-base-for-arc case: refused (prompts differ" in done.stdout
    assert "nothing compared" in done.stdout


def test_one_changed_prompt_fails_and_the_rest_is_compared(run: Run) -> None:
    """A refusal beside verdicts that hold is exit code 1: what cannot be compared must not pass."""
    place([measured(hashes=HASHES | {"prompts": "0" * 64})[0]])
    assert run("--baseline", "main").returncode == 1


@pytest.mark.slow
def test_a_first_run_says_so_and_passes(run: Run) -> None:
    """Without any baseline the run passes and says that there is none; asked to, it saves one, which then holds."""
    for file in (FOLDER / "main").iterdir():
        file.unlink()
    (FOLDER / "main").rmdir()
    done = run("--baseline", "main")
    assert done.returncode == 0, done.stdout
    assert "first run: there is no baseline main to compare with" in done.stdout
    done = run("--baseline", "main", "--save-baseline", "main")
    assert done.returncode == 0, done.stdout
    assert "saved baseline" in done.stdout
    assert run("--baseline", "main").returncode == 0


@pytest.mark.slow
def test_a_run_worse_than_its_baseline_is_not_saved(run: Run) -> None:
    """With both options a regression leaves the baseline as it is; without the gate the run is saved as it is."""
    place(measured(0.6))
    before = (FOLDER / "main" / "baseline.json").read_bytes()
    done = run("--baseline", "main", "--save-baseline", "main")
    assert done.returncode == 1
    assert "baseline main is not saved: against main: regression" in done.stdout
    assert (FOLDER / "main" / "baseline.json").read_bytes() == before
    assert run("--save-baseline", "main").returncode == 0
    assert run("--baseline", "main").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--baseline", "mian"), "no baseline 'mian' in"),
        (("--baseline", "gone/main"), "baseline gone/main does not exist"),
        (("--save-baseline", "../main"), "is no name"),
        (("--baseline", ""), "--baseline is empty: give a baseline's name or path"),
        (("--baseline", "main", "--gate-json", "no/gate.json"), "--gate-json no/gate.json: there is no folder no"),
        (("--gate-summary", "gate.md"), "--gate-summary says what gates found: give --baseline too"),
        (("--baseline", "test_small.py"), "test_small.py"),
        (("--save-baseline", "main", "-k", "base"), "--save-baseline main: it would lose 4 of its cases, m-"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(run: Run, words: tuple[str, ...], said: str) -> None:
    """An unknown baseline, a bad name, or a summary of no gate ends before anything runs, with exit code 4."""
    done = run(*words)
    assert done.returncode == 4, done.stdout
    assert said in done.stderr


def test_summary_json_and_junit_tell_the_same(run: Run, tmp_path: Path) -> None:
    """The Markdown, the step's summary, the JSON and the JUnit file hold every verdict."""
    place(measured(0.6))
    step = tmp_path / "step.md"
    step.write_text("before\n")
    words = ("--gate-summary", "gate.md", "--gate-json", "gate.json", "--junitxml", "gate.xml")
    run("--baseline", "main", *words, GITHUB_STEP_SUMMARY=str(step))
    text = Path("gate.md").read_text()
    assert "❌ TuneScale against baseline `main`: regression" in text
    assert step.read_text() == "before\n" + text
    content = json.loads(Path("gate.json").read_text())
    metrics = {one["metric"] for one in content}
    assert {"case", "macro_f1", "accuracy", "f1", "parse_rate", "tokens"} <= metrics
    cases = [case for case in ET.parse("gate.xml").iter("testcase") if case.find("properties") is not None]  # noqa: S314  our own
    found = [{one.get("name"): one.get("value") for one in case.iter("property")} for case in cases]
    assert {(one["case"], one["metric"], one["verdict"]) for one in found} == {
        (one["cell"], one["metric"], one["outcome"]) for one in content
    }
    worse = next(one for one in found if one["metric"] == "macro_f1")
    assert {"baseline", "now", "interval_low", "interval_high", "margin", "p", "n"} <= set(worse)


def test_verdicts_are_written_where_the_summary_of_another_fails(run: Run) -> None:
    """What ends the summary, as --benchmark-compare-fail does, costs neither the verdicts' files nor their lines."""
    Path("failing.py").write_text(
        "import pytest\n\n@pytest.hookimpl(trylast=True)\ndef pytest_terminal_summary(terminalreporter):\n"
        "    terminalreporter.write_line('another speaks')\n    raise pytest.UsageError('regressed, says another')\n"
    )
    done = run("--baseline", "main", "--gate-json", "gate.json", "-p", "failing", PYTHONPATH=".")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert "regressed, says another" in done.stdout + done.stderr
    assert "against baseline main: holds" in done.stdout
    assert done.stdout.index("another speaks") < done.stdout.index("against baseline main: holds")
    assert {one["outcome"] for one in json.loads(Path("gate.json").read_text())} <= {"holds", "improved"}


def test_collecting_lists_verdicts_and_writes_nothing(run: Run) -> None:
    """`--collect-only` lists an item a verdict; nothing is saved or summed up."""
    done = run("--collect-only", "-q", "--baseline", "main", "--gate-summary", "gate.md")
    assert done.returncode == 0, done.stdout
    assert "gate::m-base-for-arc::macro_f1" in done.stdout
    assert not Path("gate.md").exists()


def test_other_records_are_a_baseline(run: Run, tmp_path: Path) -> None:
    """A folder of records, of another checkout say, can be given instead of a name."""
    assert run("--baseline", str(tmp_path / "measured")).returncode == 0


def test_a_failing_test_keeps_a_run_from_being_saved(run: Run) -> None:
    """A case below its threshold, or one that left no record, leaves the old baseline as it is."""
    before = (FOLDER / "main" / "baseline.json").read_bytes()
    Path("test_small.py").write_text("def test_small(measure):\n    assert measure().metrics is None\n")
    done = run("--save-baseline", "main")
    assert done.returncode == 1
    assert "baseline is not saved: tests of this run that failed: 6" in done.stdout
    Path("test_small.py").write_text("import pytest\n\ndef test_small(cell, measure):\n    pytest.skip('not today')\n")
    done = run("--save-baseline", "main")
    assert done.returncode == 1
    assert (FOLDER / "main" / "baseline.json").read_bytes() == before


@pytest.mark.parametrize("option", ["--baseline", "--save-baseline"])
def test_a_gate_over_no_case_does_not_pass(run: Run, option: str) -> None:
    """Where no case of the study runs, other tests that pass do not make the gate one that holds."""
    Path("test_other.py").write_text("def test_other():\n    assert True\n")
    done = run("test_other.py", option, "main")
    assert done.returncode == 5, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.slow
def test_gates_come_after_their_cases_whatever_is_put_first(run: Run) -> None:
    """`--ff` after a failed verdict runs the cases before their verdicts all the same."""
    place(measured(0.6))
    words = ("-o", "cache_dir=cache", "-p", "cacheprovider")
    assert run("--baseline", "main", *words).returncode == 1
    place(measured())
    done = run("--baseline", "main", "--ff", *words)
    assert done.returncode == 0, done.stdout


def test_stopping_at_the_first_failure_tells_no_case_missing(run: Run) -> None:
    """With -x a failed case ends the run before its gates: nothing was compared and nothing is made up."""
    place([measured()[0].model_copy(update={"error": "ModelError: gone", "lines": (), "summary": None})])
    done = run("--baseline", "main", "-x")
    assert done.returncode == 1
    assert "missing from this run" not in done.stdout
    assert "the run was stopped before all of them were asked" in done.stdout
    assert "was stopped" not in run("--baseline", "main").stdout


def test_a_project_inside_another_keeps_its_baselines(run: Run, tmp_path: Path) -> None:
    """Baselines lie below the folder that pytest is started in, though another one has the settings."""
    (tmp_path.parent / "pytest.ini").write_text("[pytest]\n")
    assert run("--baseline", "main", "--save-baseline", "again").returncode == 0
    assert (tmp_path / FOLDER / "again" / "baseline.json").is_file()
    (tmp_path.parent / "pytest.ini").unlink()


def test_times_of_pytest_benchmark_are_a_baseline(run: Run) -> None:
    """A JSON file of pytest-benchmark's has times alone: cases are demanded, seconds compared where the machine is."""
    bench = {"name": "test_small[m-base-for-arc]", "stats": {"mean": 0.5, "stddev": 0.1, "rounds": 20}}
    foreign = {"name": "test_sort[100]", "stats": {"mean": 0.5, "stddev": 0.1, "rounds": 20}}
    Path("old.json").write_text(json.dumps({"machine_info": {}, "benchmarks": [bench, foreign]}))
    done = run("--baseline", "old.json", "-v", "-rs")
    assert "gate::m-base-for-arc::latency SKIPPED" in done.stdout
    assert "100" not in [line.partition("::")[2].partition("::")[0] for line in done.stdout.splitlines()]
    assert "refused" in done.stdout
