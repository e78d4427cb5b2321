"""`tunescale estimate`: what a study will take, on a device by name or by its figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.families import FAMILIES, configured
from tests.making import line
from tests.making import record as made
from tunescale_core.cli import app
from tunescale_core.cli.sources import USAGE
from tunescale_core.records.files import write


def estimate(*words: str) -> Result:
    return CliRunner().invoke(app, ["estimate", *words])


def found(*words: str) -> dict[str, dict[str, Any]]:
    """Return the estimates of the paper's study, by variant."""
    ran = estimate("--study", "paper", "--json", *words)
    assert (ran.exit_code, ran.stderr) == (0, "")
    return {one["variant"]: one for one in json.loads(ran.stdout)}


def test_json_has_every_variant() -> None:
    """The paper's study has twenty variants: two bases, and on each task five LoRAs and full tuning."""
    estimates = found()
    assert len(estimates) == 20
    assert sum(one["training_bytes"] is None for one in estimates.values()) == 2
    assert estimates["qwen3-0.6b-base"]["parameters"] == 596_049_920


def test_a_table_is_the_default() -> None:
    """Without --json each variant has a row, and the store in all is a note."""
    ran = estimate("--study", "paper")
    assert ran.exit_code == 0
    assert all(name in ran.stdout for name in found())
    assert "(store in all: " in ran.stdout


def test_a_devices_figures_can_be_given() -> None:
    """Half the bandwidth takes twice the time a token, and less memory than training needs does not fit."""
    full = "qwen3-0.6b-full-on-arc"
    fast, slow = (found("--bandwidth", speed, "--memory", "1GiB")[full] for speed in ("2e12", "1e12"))
    assert slow["seconds_per_token"] == pytest.approx(2 * fast["seconds_per_token"])
    assert (fast["fits"], found("--memory", "80GB")[full]["fits"]) == (False, True)


def test_a_device_is_known_by_name() -> None:
    """An L4 reads the weights more slowly than an H200."""
    base = "qwen3-1.7b-base"
    assert found("--device", "l4")[base]["seconds_per_token"] > found("--device", "h200")[base]["seconds_per_token"]


def test_few_bits_can_be_asked_for() -> None:
    """Ways in few bits are rows beside the study's own."""
    rounded = found("--serving", "4bit,8bit")
    sizes = [rounded[f"qwen3-1.7b-base{way}"]["serving_bytes"] for way in ("", "-via-8bit", "-via-4bit")]
    assert sizes == sorted(sizes, reverse=True)


def test_launching_and_prompts_count() -> None:
    """What launching takes is the least time a token, and a longer prompt takes more cache."""
    base = "qwen3-0.6b-base"
    assert found("--overhead", "0.5")[base]["seconds_per_token"] == 0.5
    assert found("--prompt", "512")[base]["serving_bytes"] > found("--prompt", "256")[base]["serving_bytes"]


def test_measurements_stand_beside(tmp_path: Path) -> None:
    """With a run's records, the weights that it trained stand in the variant's row."""
    write(made("full", "arc", lines=[line()], model="qwen3-0.6b"), tmp_path)
    ran = estimate("--study", "paper", "--records", str(tmp_path))
    assert ran.exit_code == 0
    assert "measured" in ran.stdout
    assert "the process's peak" in ran.stdout


STUDY = """
[study]
name = "s"
[models.phi]
source = "phi3"
[models.mixture]
source = "mixtral"
[models.odd]
source = "odd"
[models.large]
source = "Qwen/Qwen3-1.7B"
methods = ["base"]
[methods.full]
[methods.lora]
ranks = [2]
target_modules = "all-linear"
dropout = 0
[methods.ia3]
peft = { type = "IA3", feedforward_modules = [] }
target_modules = ["o_proj"]
[tasks.arc]
data = "embedded"
"""


def declared(folder: Path) -> str:
    """Write a study of a family beyond the paper's, a mixture, and a model of a kind that nobody knows."""
    (folder / "s.toml").write_text(STUDY, encoding="utf-8")
    for kind in ("phi3", "mixtral"):
        configured(FAMILIES[kind], {"vocab_size": 300, "pad_token_id": 0}).save_pretrained(folder / kind)
    (folder / "odd").mkdir()
    (folder / "odd" / "config.json").write_text('{"model_type": "nobodys"}', encoding="utf-8")
    return str(folder / "s.toml")


def test_any_kind_of_model_is_estimated(tmp_path: Path) -> None:
    """Other families, mixtures and adapters have every figure, and what nobody knows is a note."""
    study = declared(tmp_path)
    ran = estimate("--study", study, "--json")
    assert ran.exit_code == 0
    estimates = {one["variant"]: one for one in json.loads(ran.stdout)}
    assert {name.partition("-")[0] for name in estimates} == {"phi", "mixture", "large"}
    assert ran.stderr.startswith("tunescale: not estimated: model folder ")
    assert ran.stderr.count("\n") == 1
    for method in ("full", "lora-r2", "ia3"):
        tuned, mixed = estimates[f"phi-{method}-on-arc"], estimates[f"mixture-{method}-on-arc"]
        for one in (tuned, mixed):
            assert one["fits"]
            assert one["training_bytes"] > 16 * one["trainable"] > 0
        assert mixed["serving_bytes"] > 2 * mixed["parameters"] * 0.9
    trained = [estimates[f"phi-{method}-on-arc"]["trainable"] for method in ("full", "lora-r2", "ia3")]
    assert trained == sorted(trained, reverse=True)
    table = estimate("--study", study).stdout
    assert "(not estimated: model folder " in table
    assert "model type `nobodys`" in table
    assert table.count("(not estimated: ") == 1


def test_nothing_known_is_an_error(tmp_path: Path) -> None:
    """Where nothing is known of any model, the reason is the error."""
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "s.toml").write_text(
        '[study]\nname = "s"\n[models.odd]\nsource = "odd"\n[tasks.arc]\ndata = "embedded"\n', encoding="utf-8"
    )
    ran = estimate("--study", str(tmp_path / "s.toml"))
    assert (ran.exit_code, ran.stdout) == (USAGE, "")
    assert "odd cannot be opened" in ran.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--device", "abacus"], "no device 'abacus'; known are h200, h100, a100, l40s, l4, rtx4090"),
        (["--study", "nobody"], "no study is called 'nobody'"),
        (["--study", "nowhere.toml"], "nowhere.toml"),
        (["--memory", "much"], "cannot read 'much' as a size"),
        (["--records", "nowhere"], "there is no folder nowhere, and no study of that name in .tunescale/records"),
    ],
)
def test_bad_input_ends_in_one_line(words: Sequence[str], said: str) -> None:
    """What cannot be read or is not known is told in one line on stderr, exit code 4, and nothing is printed."""
    ran = estimate(*words)
    assert (ran.exit_code, ran.stdout) == (USAGE, "")
    assert ran.stderr.startswith("tunescale: ")
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words", [("--bandwidth", "-1"), ("--bandwidth", "0"), ("--overhead", "-1"), ("--prompt", "0")]
)
def test_impossible_figures_are_refused(words: Sequence[str]) -> None:
    """A device without bandwidth and a prompt without tokens are refused in one line that names the option."""
    ran = estimate(*words)
    assert ran.exit_code == USAGE
    assert ran.stderr.startswith(f"tunescale: {words[0]} must be")
