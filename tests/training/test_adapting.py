"""Whether an adapter fits a model, told before a model is loaded."""

from pathlib import Path
from typing import Any

import pytest

from tests.families import FAMILIES, make
from tunescale_core.errors import ModelError, TrainingError
from tunescale_core.study.grid import Variant
from tunescale_core.study.method import ATTENTION, Method
from tunescale_core.training.adapting import check_fits

PROMPT = {"type": "ADAPTION_PROMPT", "adapter_layers": 9, "adapter_len": 2, "target_modules": None}


def variant(**fields: Any) -> Variant:
    settings = Method.model_validate({"ranks": (4,), "target_modules": "all-linear"} | fields)
    return Variant("m", "lora", "arc", 0, settings.ranks[0] if settings.ranks else None, settings, "m-lora-r4-on-arc")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where models are, by the name of their family."""
    found = tmp_path_factory.mktemp("models")
    for name in ("llama", "phi3", "gpt2", "qwen3-moe", "falcon-h1", "gemma3-vision"):
        made = make(FAMILIES[name], found / name)
        (made / "model.safetensors").unlink()  # only its configuration is looked at
    return found


@pytest.mark.parametrize("name", ["llama", "phi3", "gpt2", "gemma3-vision"])
def test_all_linear_layers_and_those_of_the_attention_fit(name: str, folder: Path) -> None:
    """An adapter on every linear layer fits, and one on the attention's layers by their names in that model."""
    assert check_fits(variant(), folder / name)
    assert check_fits(variant(target_modules=FAMILIES[name].attention), folder / name)


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        (
            "phi3",
            {"target_modules": ATTENTION},
            "has no k_proj, q_proj, v_proj to put it on; name .* o_proj, ",
        ),
        (
            "gpt2",
            {"target_modules": ATTENTION},
            "has no k_proj, o_proj, q_proj, v_proj to put it on; name .* c_",
        ),
        (
            "gemma3-vision",
            {"target_modules": ("embed_tokens",)},
            "embed_tokens is the model's head too, .* modules_to_save",
        ),
        ("llama", {"target_modules": ("lm_head",)}, "has no lm_head to put it on; name .* q_proj"),
        (
            "llama",
            {"target_modules": ("nope",), "quantize": "4bit"},
            "has no nope to put it on; name .* q_proj",
        ),
        ("llama", {"ranks": None, "peft": PROMPT}, "m-lora-r4-on-arc"),
        (
            "llama",
            {"target_modules": ("nope",)},
            'has no nope to put it on; name .* q_proj, .*, or "all-linear"',
        ),
        (
            "qwen3-moe",
            {},
            "a mixture's experts too, which PEFT has no dropout for: set dropout = 0, or",
        ),
        ("falcon-h1", {}, "Module 'out_proj' is incompatible with Mamba-based models .*; give other target_modules or"),
    ],
)
def test_what_does_not_fit_is_one_line(name: str, fields: dict[str, Any], said: str, folder: Path) -> None:
    """Modules that a model lacks, one of four among them, and what PEFT refuses: one line with what there is."""
    with pytest.raises(TrainingError, match=said) as caught:
        check_fits(variant(**fields), folder / name)
    assert str(caught.value).startswith("m-lora-r4-on-arc")
    assert "\n" not in str(caught.value)


def test_what_the_line_says_helps(folder: Path) -> None:
    """Without dropout, an adapter of all of a mixture's layers fits."""
    assert check_fits(variant(dropout=0.0), folder / "qwen3-moe")


def test_what_needs_weights_waits_for_them(folder: Path) -> None:
    """An adapter that begins from the weights themselves is tried when they are there; its modules are looked at."""
    assert not check_fits(variant(peft={"init_lora_weights": "pissa"}), folder / "llama")
    with pytest.raises(TrainingError, match="has no nope to put it on"):
        check_fits(variant(peft={"init_lora_weights": "pissa"}, target_modules=("nope",)), folder / "llama")


@pytest.mark.parametrize("config", ["{", '{"model_type": "nosuch"}', '{"model_type": "t5"}'])
def test_what_is_no_language_model_is_one_line(config: str, tmp_path: Path) -> None:
    """A configuration that is broken, of no known kind or of another kind of model is a model error."""
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelError, match=f"^model folder {tmp_path} cannot be opened: ") as caught:
        check_fits(variant(), tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "tried"), [("SHIRA", False), ("VERA", True), ("IA3", True)])
def test_adapters_that_read_weights_are_no_fault(kind: str, *, tried: bool, folder: Path) -> None:
    """What cannot be tried without weights, or can, of other kinds of adapters is not refused."""
    fields = {"ranks": None} if kind == "IA3" else {}
    peft = {"type": kind} | ({"feedforward_modules": []} if kind == "IA3" else {})
    assert check_fits(variant(peft=peft, target_modules=("q_proj",), **fields), folder / "llama") is tried


def test_full_tuning_fits_everything(folder: Path) -> None:
    """It asks for no module: not even a configuration is read."""
    assert check_fits(Variant("m", "full", "arc", 0, None, Method(), "m-full-on-arc"), folder / "none")
