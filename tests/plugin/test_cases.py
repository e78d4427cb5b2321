"""The plugin as a user meets it: real pytest runs in other processes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.making import record as made
from tests.starting import STUDY, Run, study_file
from tunescale_core.models.base import resolve
from tunescale_core.records.files import read_all, write
from tunescale_core.study.grid import cells
from tunescale_core.study.loading import load
from tunescale_core.study.model import Model

COLLECT = """
import sys
import pytest

code = pytest.main(sys.argv[1:])
heavy = {"torch", "transformers", "trl", "peft", "datasets"} & set(sys.modules)
print("HEAVY", sorted(heavy))
sys.exit(code)
"""


def collected(output: str) -> list[str]:
    return [line.partition("[")[2].removesuffix("]") for line in output.splitlines() if "::test_generate[" in line]


def test_collecting_imports_nothing_heavy(run: Run) -> None:
    """`--collect-only` lists the whole grid without importing torch or what stands on it."""
    done = run("--collect-only", "-q", start=("-c", COLLECT))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "HEAVY []" in done.stdout
    assert "warning" not in (done.stdout + done.stderr).lower()
    assert collected(done.stdout) == [cell.id for cell in cells(load("mini"))]


def test_collecting_writes_nothing(run: Run, tmp_path: Path) -> None:
    """`--collect-only` leaves no store behind, nor anything but pytest-benchmark's empty folder."""
    assert run("--collect-only", "-q").returncode == 0
    assert [path.name for path in tmp_path.rglob("*") if path.name != ".benchmarks"] == []


def test_k_takes_exactly_the_lora_cells(run: Run) -> None:
    """`-k lora` selects the cells of LoRA variants and no others."""
    done = run("--collect-only", "-q", "-k", "lora")
    assert done.returncode == 0, done.stdout + done.stderr
    assert collected(done.stdout) == [cell.id for cell in cells(load("mini")) if cell.variant.rank is not None]


def test_ways_of_serving_can_be_asked_for(run: Run) -> None:
    """`--serving` adds ways beside eager, each to the variants it suits; one that means nothing is a usage error."""
    done = run("--collect-only", "-q", "--serving", "static,adapter-batch-4")
    ids = collected(done.stdout)
    eager = [cell.id for cell in cells(load("mini"))]
    assert [one for one in ids if "-via-" not in one] == eager
    assert sum("-via-static" in one for one in ids) == len(eager)
    assert sum("-via-adapter-batch-4" in one for one in ids) == sum("lora" in one for one in eager)
    refused = run("--collect-only", "-q", "--serving", "fast")
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "serving.fast: its name alone says no way of serving" in refused.stderr


def test_a_study_file_is_collected(run: Run, tmp_path: Path) -> None:
    """`--study FILE` makes a case of each cell of that file."""
    path = study_file(tmp_path)
    done = run("--collect-only", "-q", "--study", path)
    assert collected(done.stdout) == [cell.id for cell in cells(load(path))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (STUDY.replace("ranks = [2]", "ranks = [2, 2]"), "methods.lora.ranks: names the same one twice"),
        (STUDY.replace("[methods.full]", "[methods.full]\nlearning_rat = 1"), "learning_rat: unknown key"),
        (STUDY + '[[expect]]\ncell = "x"\nmetric = "f1"\nat_least = 100\n', "expect.cell 'x' matches no cell"),
        ("[study", "cannot be read as TOML"),
    ],
)
def test_a_bad_study_starts_nothing(run: Run, tmp_path: Path, text: str, said: str) -> None:
    """A study that cannot be used is a usage error in one line, before any case or store is made."""
    path = study_file(tmp_path, text)
    done = run("--study", path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    assert line.startswith("ERROR: ")
    assert said in line
    assert [one.name for one in tmp_path.iterdir()] == ["small.toml"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--study", "nope"),
            "no study is called 'nope'; known are fair, mini-fair, mini, paper, shapes",
        ),
        (("--study", "nope.toml"), "study file nope.toml does not exist"),
        (("--eval-examples", "0"), "study.eval_examples"),
        (("--train-examples", "-1"), "study.train_examples"),
        (("--timed-examples", "0"), "protocol.timed_examples"),
        (("--max-new-tokens", "0"), "protocol.max_new_tokens"),
    ],
)
def test_bad_options_start_nothing(run: Run, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """An option that cannot be used is a usage error in one line that says which value it is."""
    done = run(*words)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    assert line.startswith("ERROR: ")
    assert said in line
    assert list(tmp_path.iterdir()) == []


def test_failed_cells_are_records(run: Run, tmp_path: Path) -> None:
    """A cell that cannot be measured fails with one clean line, its record carries the error, the next is tried."""
    small = resolve(Model(source="embedded:mini-small"), Path()).folder
    (shutil.copytree(small, tmp_path / "torn") / "model.safetensors").write_bytes(b"torn")
    path = study_file(tmp_path, STUDY.replace("embedded:mini-small", "torn"))
    store = tmp_path / "kept"
    done = run("--study", path, "--store", str(store), "-k", "base")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "torn cannot be opened: " in done.stdout
    assert "fixture was not used" not in done.stdout
    assert "Traceback" not in done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr
    records = read_all(store / "records" / "small")
    assert [record.cell for record in records] == ["m-base-for-arc", "m-base-for-squad_v2"]
    for record in records:
        assert record.error is not None
        assert record.error.startswith("ModelError: model folder ")
        assert (record.lines, record.metrics, record.key) == ((), {}, None)


def test_a_store_that_cannot_be_written_is_told_before_anything_is_measured(run: Run, tmp_path: Path) -> None:
    """Where records cannot be written no case is begun, and one line says so."""
    (tmp_path / "kept").write_text("no folder")
    done = run("--study", study_file(tmp_path, STUDY), "--store", str(tmp_path / "kept"), "-k", "base")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"records cannot be written to {tmp_path / 'kept' / 'records' / 'small'}" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_pytests_other_options_fail_no_case(run: Run, tmp_path: Path) -> None:
    """A profile is taken of one call more than is timed; without pytest's capture, progress is written all the same."""
    few = ("--eval-examples", "6", "--timed-examples", "2", "--max-new-tokens", "4", "-k", "mini-small-base-for-arc")
    profiled = run(*few, "--benchmark-cprofile=tottime", "--benchmark-json=kept.json")
    assert profiled.returncode == 0, profiled.stdout
    assert "warning" not in profiled.stdout.lower()  # of what libraries say of each other
    assert len(json.loads((tmp_path / "kept.json").read_text())["benchmarks"][0]["stats"]["data"]) == 2
    bare = run(*few, "-p", "no:capture")
    assert bare.returncode == 0, bare.stdout


def test_findings_are_cases_where_a_study_declares_them(run: Run, tmp_path: Path) -> None:
    """Declared findings are collected last, and one that records do not bear out fails in one line."""
    asked = '[[findings]]\nkey = "Q1"\nverdict = "supported"\n'
    path = study_file(tmp_path, STUDY.replace("[tasks.squad_v2]", "") + asked)
    listed = [line for line in run("--study", path, "--collect-only", "-q").stdout.splitlines() if "::" in line]
    assert listed[-1].endswith("::test_findings[Q1]")
    assert sum("::test_findings" in line for line in listed) == 1
    store = tmp_path / "kept"
    write(made(metrics={"macro_f1": 0.5}), store / "records" / "small")
    done = run("--study", path, "--store", str(store), "-k", "test_findings")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "Q1: not enough evidence, required supported" in done.stdout
    assert "During handling" not in done.stdout


def test_findings_need_no_test_of_ones_own(tmp_path: Path) -> None:
    """In a suite whose tests ask for cells alone, what the study expects is asked all the same, after its cells."""
    path = study_file(tmp_path, STUDY + '[[findings]]\nkey = "Q1"\nverdict = "supported"\n')
    (tmp_path / "test_own.py").write_text("def test_it(cell, measure, thresholds):\n    thresholds(measure())\n")
    write(made(metrics={"macro_f1": 0.5}), tmp_path / "kept" / "records" / "small")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--study", path, "--store", "kept"]

    def ran(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
        )

    listed = [line for line in ran("--collect-only", "-q").stdout.splitlines() if "::" in line]
    assert listed[-1] == "findings::Q1"
    done = ran("-k", "Q1")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "Q1: not enough evidence, required supported" in done.stdout
    assert "Traceback" not in done.stdout
    first = next(line for line in listed if "[" in line)
    assert "findings::" not in ran("--collect-only", "-q", first).stdout  # one test that is named is wanted alone


def test_a_study_that_no_test_asks_for_is_told(tmp_path: Path) -> None:
    """Where the three lines of a test module are missing, a run with a study says what they would be."""
    (tmp_path / "test_own.py").write_text("def test_it(measure):\n    measure()\n")

    def ran(*words: str) -> str:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--study", "mini", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120).stdout

    said = "no test found here measures the study's cells; this one would: def test_it(measure): measure()"
    assert said not in ran("--collect-only", "-k", "nothing")
    (tmp_path / "test_own.py").write_text("import nothing_of_this_name\n")
    assert said not in ran()
    (tmp_path / "test_own.py").unlink()
    assert said in ran()


def test_short_data_are_told() -> None:
    """Where data have fewer usable rows than a study asks for, the run says so, a line a task and purpose."""
    from tests.making import COST, line
    from tunescale_core.plugin.terminal import _short_lines

    study = load("mini", {"study": {"eval_examples": 2, "train_examples": 50}})
    cost = COST.model_copy(update={"rows": 40})
    records = [made(lines=[line()]), made("full", "arc", lines=[line(), line(place=1)], cost=cost)]
    assert list(_short_lines(study, records[1:])) == ["arc: train_examples is 50, and its data have 40 usable rows"]
    assert list(_short_lines(study, records[:1])) == ["arc: eval_examples is 2, and its data have 1 usable rows"]
