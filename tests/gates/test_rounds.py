"""pytest-benchmark's files: every form they had, and what is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gating import HERE
from tunescale_core.errors import RecordError
from tunescale_core.gates.rounds import rounds

SAMPLES = Path(__file__).parent / "rounds"
CELL = "mini-small-base-for-arc"
TEST = f"""
import time, pytest

@pytest.mark.parametrize("cell", ["{CELL}"])
def test_generate(benchmark, cell):
    benchmark.pedantic(time.sleep, args=(0.002,), rounds=3)
"""


def written(folder: Path, content: object) -> Path:
    path = folder / "file.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def bench(name: str = f"test_generate[{CELL}]", **fields: object) -> dict[str, object]:
    return {"name": name, "stats": {"mean": 2.0, "stddev": 0.5, "rounds": 4}, **fields}


@pytest.mark.parametrize(
    ("version", "machine"),
    [
        ("2.5", {"system": "Linux"}),
        ("3.1", {"processor": "Some Processor 9000", "system": "Linux"}),
        ("5.3", {"processor": "Some Processor 9000", "cores": "8", "system": "Linux"}),
    ],
)
def test_every_form_is_read(version: str, machine: dict[str, str]) -> None:
    """Files of 2015, of 2017 and of today give mean, deviation, rounds, and what they say of the machine."""
    found = rounds(SAMPLES / f"version_{version}.json")
    assert found[CELL].machine == machine
    assert 0 < found[CELL].deviation < found[CELL].mean < 0.1
    assert found[CELL].rounds == (4 if version == "5.3" else 7)
    assert "test_plain" not in "".join(found)


def test_what_is_installed_is_read(tmp_path: Path) -> None:
    """A file that the installed pytest-benchmark writes now is read, with the case's id and this machine."""
    (tmp_path / "test_it.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:tunescale", "--benchmark-json=out.json", "test_it.py"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    found = rounds(tmp_path / "out.json")[CELL]
    assert found.rounds == 3
    assert found.mean >= 0.002
    assert found.machine["system"]


def test_our_own_files_name_the_whole_device(tmp_path: Path) -> None:
    """Where a run of this program left its provenance, the file names the device."""
    content = {"benchmarks": [bench(extra_info={"provenance": HERE.model_dump()})], "machine_info": {"system": "Linux"}}
    found = rounds(written(tmp_path, content))[CELL]
    assert found.machine["device"] == HERE.device
    assert found.machine["processor"] == HERE.cpu


@pytest.mark.parametrize("machine", [None, "a string", {}, {"cpu": None}, {"cpu": []}])
def test_machines_that_are_not_described(tmp_path: Path, machine: object) -> None:
    """What says nothing of its machine is read, with nothing known of it."""
    assert rounds(written(tmp_path, {"benchmarks": [bench()], "machine_info": machine}))[CELL].machine == {}


def test_single_rounds_do_without_a_summary(tmp_path: Path) -> None:
    """Where only the rounds themselves were kept, mean and deviation are theirs; flat statistics are read too."""
    kept = rounds(written(tmp_path, {"benchmarks": [bench(stats={"data": [1.0, 3.0]})]}))[CELL]
    assert (kept.mean, kept.rounds) == (2.0, 2)
    flat = {"name": f"t[{CELL}]", "mean": 2.0, "stddev": 0.5, "rounds": 4}
    assert rounds(written(tmp_path, {"benchmarks": [flat]}))[CELL].deviation == 0.5


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("no JSON", "cannot be read"),
        ([], "are not pytest-benchmark's"),
        ({"benchmarks": {}}, "are not pytest-benchmark's"),
        ({"benchmarks": []}, "hold no case"),
        ({"benchmarks": [bench("test_plain"), 3]}, "hold no case"),
        ({"benchmarks": [bench(), bench()]}, "twice"),
        ({"benchmarks": [bench(stats={"mean": 1.0})]}, "no 'stddev' in its statistics"),
        ({"benchmarks": [bench(stats={"mean": 0.0, "stddev": 0, "rounds": 2})]}, "a mean of 0 s"),
        ({"benchmarks": [bench(stats={"mean": None, "stddev": 0, "rounds": 2})]}, "in its statistics"),
        ({"benchmarks": [bench(stats={"data": 3})]}, "in its statistics"),
    ],
)
def test_what_is_none_is_one_line(tmp_path: Path, content: object, told: str) -> None:
    """What cannot be read is told in one line that names the file."""
    path = written(tmp_path, content)
    with pytest.raises(RecordError, match=told) as caught:
        rounds(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is told too."""
    with pytest.raises(RecordError, match="cannot be read"):
        rounds(tmp_path / "nothing.json")
