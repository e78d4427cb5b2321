"""docs/paper.md, held against the configurations that a run really makes."""

import ast
import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from peft import LoraConfig
from transformers import GenerationConfig, training_args
from trl import SFTConfig

from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.models.base import resolve
from tunescale_core.models.opened import open_model
from tunescale_core.study.grid import variants
from tunescale_core.study.loading import load
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol
from tunescale_core.study.study import Study
from tunescale_core.training import recipe
from tunescale_core.training.recipe import adapter_config

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "paper.md"
SETTING = re.compile(r"`(?P<kind>SFTConfig|LoraConfig|GenerationConfig|Study)\.(?P<name>[^`]+)`")
DEFAULTS = {"TRL's default", "PEFT's default"}
HOUSEKEEPING = {
    "seed",  # the study's, which the page states
    "data_seed",
    "disable_tqdm",
    "logging_steps",
    "logging_nan_inf_filter",
    "save_strategy",
}
"""Fields of `SFTConfig` that say what is shown and kept of a training."""


@dataclass(frozen=True)
class Stated:
    """One row of the page."""

    setting: str
    value: str
    why: str
    source: str


def rows() -> Iterator[Stated]:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and cells[0] not in {"setting", "---"}:
            yield Stated(*cells)


ROWS = list(rows())
CONFIGURED = [row for row in ROWS if SETTING.fullmatch(row.setting)]


def value_of(text: str) -> Any:
    return ast.literal_eval(text.strip("`"))


@pytest.fixture(scope="module")
def study() -> Study:
    """The paper's study, its training taken literally."""
    return load("paper", {"study": {"training": "literal"}})


@pytest.fixture(scope="module")
def generation() -> Any:
    """What decoding hands to `generate()`: the paper's protocol on a small model whose window is large enough."""
    opened = open_model(resolve(Model(source="embedded:mini-small"), Path()).folder, Protocol(dtype="float32"))
    opened.model.generation_config.do_sample = True  # as Qwen3's own does
    opened.model.generation_config.temperature = 0.6
    opened.model.config.max_position_embeddings = 40960
    return EagerDecoder(opened, load("paper").protocol).config


def test_the_page_covers_the_paper() -> None:
    """The page states at least forty settings, none twice, and each of its rows is complete."""
    assert len(CONFIGURED) >= 40
    assert len({row.setting for row in ROWS}) == len(ROWS)
    assert all(row.why and row.source for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.setting)
def test_the_line_that_sets_it_is_there(row: Stated) -> None:
    """Every row names a file and a line that stands in it, or a library's default."""
    if row.source in DEFAULTS:
        return
    file, line = re.fullmatch(r"`([^`]+)`: `(.+)`", row.source).groups()  # type: ignore[union-attr]
    assert line in (ROOT / file).read_text(encoding="utf-8")


@pytest.fixture
def trainings(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, SFTConfig]:
    """What full fine-tuning and every LoRA hand to TRL on a GPU, by the variant's id."""
    monkeypatch.setattr(recipe, "device", lambda: "cuda")
    monkeypatch.setattr(training_args, "is_torch_bf16_gpu_available", lambda: True)
    tuned = [variant for variant in variants(study) if variant.settings is not None]
    return {
        one.id: recipe.sft_config(one.settings, one.seed or 0, 5000, tmp_path)
        for one in tuned
        if one.settings is not None
    }


@pytest.mark.parametrize("row", [row for row in CONFIGURED if "SFTConfig" in row.setting], ids=lambda row: row.setting)
def test_sft_config(row: Stated, trainings: dict[str, SFTConfig]) -> None:
    """Full fine-tuning and every LoRA reach TRL on a GPU with the value that the page states."""
    name = row.setting.strip("`").removeprefix("SFTConfig.")
    assert len(trainings) == 18
    for variant, config in trainings.items():
        assert getattr(config, name) == value_of(row.value), variant


def test_bfloat16_is_for_cuda_alone(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU training computes in fp32."""
    monkeypatch.setattr(recipe, "device", lambda: "cpu")
    assert recipe.sft_config(study.methods["full"], 0, 5000, tmp_path).bf16 is False


def stated_of(kind: str) -> set[str]:
    """Return the fields of a configuration that the page states."""
    found = (SETTING.fullmatch(row.setting) for row in CONFIGURED)
    return {match["name"] for match in found if match is not None and match["kind"] == kind}


def differing(config: Any, default: Any) -> set[str]:
    """Return the fields in which a configuration is not the library's default."""
    fields = [one.name for one in dataclasses.fields(config)] if dataclasses.is_dataclass(config) else vars(config)
    return {name for name in fields if getattr(config, name) != getattr(default, name, None)}


def test_nothing_else_is_set(trainings: dict[str, SFTConfig], study: Study, generation: Any, tmp_path: Path) -> None:
    """What the page does not state is the library's default, but for what decides no weight and no answer."""
    default = SFTConfig(output_dir=str(tmp_path), bf16=False)
    for config in trainings.values():
        assert differing(config, default) - stated_of("SFTConfig") == HOUSEKEEPING
    for variant in variants(study):
        if variant.rank is not None:
            assert differing(adapter_config(variant), LoraConfig()) - stated_of("LoraConfig") <= {"task_type"}
    ends = {"eos_token_id", "pad_token_id"}
    assert differing(generation, GenerationConfig()) - stated_of("GenerationConfig") == ends


@pytest.mark.parametrize("row", [row for row in CONFIGURED if "LoraConfig" in row.setting], ids=lambda row: row.setting)
def test_lora_config(row: Stated, study: Study) -> None:
    """Every LoRA reaches PEFT with the value that the page states, each rank once a task."""
    name = row.setting.strip("`").removeprefix("LoraConfig.")
    configs: list[Any] = [adapter_config(one) for one in variants(study) if one.rank is not None]
    found, stated = [getattr(config, name) for config in configs], value_of(row.value)
    if name == "r":
        assert found == stated * 3
    else:
        assert all((sorted(one) == sorted(stated) if isinstance(stated, list) else one == stated) for one in found)


@pytest.mark.parametrize("row", [row for row in CONFIGURED if "Generation" in row.setting], ids=lambda row: row.setting)
def test_generation_config(row: Stated, generation: Any) -> None:
    """Decoding has the value that the page states, whatever the model's own configuration says."""
    assert getattr(generation, row.setting.strip("`").removeprefix("GenerationConfig.")) == value_of(row.value)


@pytest.mark.parametrize("row", [row for row in CONFIGURED if "`Study." in row.setting], ids=lambda row: row.setting)
def test_study(row: Stated, study: Study) -> None:
    """The study file resolves to the value that the page states."""
    found: Any = study.model_dump()
    name = row.setting.strip("`").removeprefix("Study.")
    for model in study.models:  # a name may hold the dot that separates keys
        name = name.replace(model, model.replace(".", "\0"))
    path = name.split(".")
    found = found["study"] if len(path) == 1 else found
    for key in path:
        found = found[key.replace("\0", ".")]
    stated = value_of(row.value)
    assert found == (tuple(stated) if isinstance(stated, list) else stated)
