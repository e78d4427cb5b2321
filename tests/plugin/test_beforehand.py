"""What is looked at before the first case: models, files, rows and adapters of the cells that were selected."""

import json
import re
from pathlib import Path

import pytest

from tests.families import FAMILIES, make
from tests.hubs import GATED, HELD, hub
from tests.starting import STUDY, Run, study_file
from tunescale_core.models.base import folder_here
from tunescale_core.records.files import read_all
from tunescale_core.study.model import Model

ROW = {"id": "q", "question": "Which?", "choices": {"text": list("wxyz"), "label": list("ABCD")}, "answerKey": "A"}


def refused(run: Run, folder: Path, text: str, *words: str) -> str:
    """Return the one line that a study is refused with, nothing having been started."""
    done = run("--study", study_file(folder, text), "--store", str(folder / "kept"), *words)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert not (folder / "kept").exists()
    (line,) = (one for one in (done.stdout + done.stderr).splitlines() if one.startswith("ERROR"))
    return line


@pytest.mark.slow
def test_few_bits_without_the_package_start_nothing(run: Run, tmp_path: Path) -> None:
    """A way of serving in few bits needs bitsandbytes, which is told before the first case."""
    (tmp_path / "lacking.py").write_text(
        "from tunescale_core.models import quantised\nquantised.find_spec = lambda _: None\n"
    )
    line = refused(run, tmp_path, STUDY, "--serving", "4bit", "-k", "base", "-p", "lacking")
    assert 'quantize = "4bit" needs bitsandbytes: pip install "tunescale[quantized]"' in line


def test_without_pytest_benchmark_nothing_is_started(run: Run, tmp_path: Path) -> None:
    """Switched off, nothing times the cases, which is one line and not a list of fixtures for each."""
    assert "leave out -p no:benchmark" in refused(run, tmp_path, STUDY, "-p", "no:benchmark")


@pytest.mark.slow
def test_modules_that_an_embedded_model_lacks_start_nothing(run: Run, tmp_path: Path) -> None:
    """An adapter on modules that the model does not have is told before anything is trained."""
    text = STUDY.replace("ranks = [2]", 'ranks = [2]\ntarget_modules = ["c_attn"]')
    assert "c_attn" in refused(run, tmp_path, text)


def test_more_questions_at_once_than_are_timed_start_nothing(run: Run, tmp_path: Path) -> None:
    """A call that asks more questions than are timed cannot be made, which is told before anything is trained."""
    line = refused(run, tmp_path, STUDY, "--serving", "batch-8", "--timed-examples", "4")
    assert "serving.batch-8 asks 8 questions at once, and 4 are timed: time more" in line


@pytest.mark.slow
def test_an_adapter_peft_does_not_know_starts_nothing(run: Run, tmp_path: Path) -> None:
    """A setting that PEFT does not have is a usage error before the first case, and no error when only collecting."""
    text = STUDY.replace("ranks = [2]", "ranks = [2]\npeft = { use_dorra = true }")
    assert run("--collect-only", "-q", "--study", study_file(tmp_path, text)).returncode == 0
    assert "study small: method lora-r2: PEFT's LORA has no setting 'use_dorra'" in refused(run, tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("embedded:mini-small", "embedded:none", "no embedded model 'embedded:none'"),
        ("embedded:mini-small", "./gone", "model folder gone does not exist"),
        ("embedded:mini-small", "/gone/model", "model folder /gone/model does not exist"),
        ("[tasks.squad_v2]", '[tasks.squad_v2]\ndata = "gone.jsonl"', "gone.jsonl does not exist"),
        ("[tasks.squad_v2]", '[tasks.squad_v2]\ndata = "rows.ndjson"', "rows.ndjson is of no format that is read"),
        ("[tasks.squad_v2]", '[tasks.squad_v2]\neval_split = "tset"', "the embedded source has no split 'tset'"),
    ],
)
def test_what_is_not_on_this_machine_starts_nothing(run: Run, tmp_path: Path, old: str, new: str, said: str) -> None:
    """A file, format or model that is not here is one line and exit code 4 before the first case, not after hours."""
    (tmp_path / "rows.ndjson").write_text("")
    line = refused(run, tmp_path, STUDY.replace(old, new), "-k", "base or on-squad_v2")
    assert said in line.replace(f"{tmp_path}/", "")


def test_a_model_that_the_hub_does_not_give_starts_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gated or missing repository is met before the small model has been trained, though its cells come last."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    small = folder_here(Model(source="embedded:mini-small"), Path())
    assert small is not None
    with hub(small) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        for source, said in ((GATED, "it is gated"), ("no/such", "there is no such repository")):
            text = STUDY + f'[models.large]\nsource = "{source}"\nmethods = ["base"]\n'
            assert f"study small: model {source} cannot be opened: {said}" in refused(run, tmp_path, text)
        # A model that the hub has is no hindrance, and none is asked for that no selected cell needs.
        text = STUDY.replace("embedded:mini-small", HELD) + f'[models.large]\nsource = "{GATED}"\n'
        store, slight = str(tmp_path / "kept"), ("--eval-examples", "1", "--max-new-tokens", "1")
        done = run("--study", study_file(tmp_path, text), "--store", store, "-k", "m-base-for-arc", *slight)
    assert done.returncode == pytest.ExitCode.OK, done.stdout


@pytest.mark.parametrize("key", ["eval_data", "data"])
def test_bad_rows_start_nothing(run: Run, tmp_path: Path, key: str) -> None:
    """A row that cannot be read is met before any training, be it of evaluation or of a task that is trained last."""
    rows = [ROW | {"id": str(n), "question": f"Which {n}?"} for n in range(9)] + [{"asked": 1}]
    (tmp_path / "bad.jsonl").write_text("\n".join(map(json.dumps, rows)))
    other = "" if key == "eval_data" else 'eval_data = "embedded"\n'
    text = STUDY.replace("[tasks.arc]\n", f'[tasks.zoo]\ntask = "arc"\n{key} = "bad.jsonl"\n{other}')
    assert "bad.jsonl, row 10: " in refused(run, tmp_path, text, "-k", "full")


def test_rows_that_no_selected_cell_needs_are_not_read(run: Run, tmp_path: Path) -> None:
    """A training file that is bad hinders no untuned cell."""
    (tmp_path / "bad.jsonl").write_text('{"asked": 1}\n')
    text = STUDY.replace("[tasks.arc]", '[tasks.arc]\ndata = "bad.jsonl"\neval_data = "embedded"')
    slight = ("--eval-examples", "1", "--max-new-tokens", "1", "-k", "base-for-arc")
    done = run("--study", study_file(tmp_path, text), "--store", str(tmp_path / "kept"), *slight)
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    assert len(read_all(tmp_path / "kept" / "records" / "small")) == 1


@pytest.mark.parametrize(
    ("family", "added", "said"),
    [
        (
            "phi3",
            "",
            "m-lora-r2-on-.* cannot be adapted as declared: the model has no k_proj, q_proj, v_proj to put it on; ",
        ),
        (
            "qwen2",
            '[protocol]\nthinking = "off"\n',
            'thinking = "off": the chat template of .* takes no enable_th',
        ),
        (
            "qwen2",
            '[serving.thinking-on]\nonly = "m-base"\n',
            'thinking = "on": the chat template of .* takes no ',
        ),
    ],
    ids=["an adapter that does not fit", "thinking", "thinking of one way of serving"],
)
def test_what_a_model_cannot_be_starts_nothing(run: Run, tmp_path: Path, family: str, added: str, said: str) -> None:
    """A model without a module that an adapter is wanted on, or that cannot be told not to think, is met at once."""
    model = make(FAMILIES[family], tmp_path / "model")
    (model / "model.safetensors").write_bytes(b"")  # no weight is read for it
    text = STUDY.replace("embedded:mini-small", "./model") + added
    assert re.search(said, refused(run, tmp_path, text))
