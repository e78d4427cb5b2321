"""Shapes: parameters and adapter weights as published, and as a real model and PEFT count them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunescale_core.errors import ModelError
from tunescale_core.estimate.shapes import has_shape, shape_of
from tunescale_core.estimate.sizes import read_shape
from tunescale_core.study.method import Method
from tunescale_core.study.model import Model

CONFIG = {
    "model_type": "qwen3",
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 64,
}


@pytest.mark.parametrize(
    ("source", "parameters", "adapter"),
    [("Qwen/Qwen3-0.6B", 596_049_920, 286_720), ("Qwen/Qwen3-1.7B", 1_720_574_976, 401_408)],
)
def test_the_papers_models_have_their_published_size(source: str, parameters: int, adapter: int) -> None:
    """Weights, LoRA weights a rank on the attention, and 114,688 bytes of cache a token come out as published."""
    shape = read_shape(Model(source=source), Path())
    assert shape.parameters == parameters
    assert shape.adapter(Method(ranks=(1,)), 1) == adapter
    assert shape.adapter(Method(ranks=(1024,)), 1024) == 1024 * adapter
    assert shape.cache_bytes(10, 2) == 1_146_880


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("biases", [{}, {"attention_bias": True}, {"mlp_bias": True}])
@pytest.mark.parametrize("kind", ["qwen3", "qwen2", "llama"])
def test_parameters_are_those_of_the_real_model(kind: str, biases: dict[str, bool], *, tied: bool) -> None:
    """A model that transformers builds from the same configuration has as many parameters."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = {**CONFIG, "model_type": kind, "tie_word_embeddings": tied, **biases}
    if kind != "qwen3":
        config["head_dim"] = 8  # these derive it from the width
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    shape = shape_of(config, "m")
    assert shape.parameters == model.num_parameters()
    looked_up = 0 if tied else model.get_input_embeddings().weight.numel()
    assert shape.read_per_token == model.num_parameters() - looked_up


@pytest.mark.parametrize("modules", ["all-linear", ("q_proj", "v_proj"), ("down_proj",)])
def test_adapter_weights_are_pefts(modules: tuple[str, ...] | str) -> None:
    """PEFT makes an adapter of as many weights."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**CONFIG))
    targets = modules if isinstance(modules, str) else list(modules)
    tuned = get_peft_model(model, LoraConfig(r=3, target_modules=targets, task_type="CAUSAL_LM"))
    trained, _ = tuned.get_nb_trainable_parameters()
    assert shape_of(CONFIG, "m").adapter(Method(ranks=(3,), target_modules=modules), 3) == trained  # type: ignore[arg-type]


def test_unknown_modules_are_refused() -> None:
    """A target module that is no linear layer of a block is named, with those that are."""
    with pytest.raises(ModelError, match=r"module 'lm_head'; known are q_proj"):
        shape_of(CONFIG, "m").adapter(Method(ranks=(2,), target_modules=("lm_head",)), 2)


@pytest.mark.parametrize("change", [{"hidden_size": None}, {"vocab_size": "x"}])
def test_a_shape_that_is_none_is_refused(change: dict[str, object]) -> None:
    """What lacks a size is refused in one line that names the model."""
    with pytest.raises(ModelError, match=r"^model m has no shape"):
        shape_of({**CONFIG, **change}, "m")


@pytest.mark.parametrize("change", [{"num_experts": 8}, {"model_type": "gemma3_text"}])
def test_other_kinds_have_no_such_shape(change: dict[str, object]) -> None:
    """Mixtures and other kinds of model do not follow from these sizes."""
    assert has_shape(CONFIG)
    assert not has_shape({**CONFIG, **change})


def test_a_folders_shape_is_read_from_its_config() -> None:
    """An embedded model's shape comes from its folder, and counts what its weights count."""
    from safetensors import safe_open

    shape = read_shape(Model(source="embedded:mini-small"), Path())
    folder = Path(__file__).parents[2] / "tunescale_core" / "embedded" / "mini-small"
    with safe_open(folder / "model.safetensors", "pt") as weights:
        assert shape.parameters == sum(weights.get_tensor(name).numel() for name in weights.keys())  # noqa: SIM118
