"""Models of any kind, counted without weights: as a real model, PEFT and a real training have them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers.integrations import moe

from tests.families import FAMILIES, configured, make
from tests.training.test_families import lesson, lora
from tunescale_core.errors import StudyError, TrainingError
from tunescale_core.estimate.activations import footprint_of
from tunescale_core.estimate.costs import HELD
from tunescale_core.estimate.counted import Counted, _kept
from tunescale_core.estimate.shapes import shape_of
from tunescale_core.models.architecture import class_for, config_of
from tunescale_core.models.opened import open_model
from tunescale_core.study.method import Bits, Method
from tunescale_core.study.protocol import Protocol
from tunescale_core.training.footprint import kept_bytes
from tunescale_core.training.plan import Plan
from tunescale_core.training.tune import trainer_for

EXPERTS = ("mixtral", "qwen3-moe", "gpt-oss")
SPECIAL = {"vocab_size": 300, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
TOKENS = 48


def counted(name: str) -> Counted:
    return Counted(configured(FAMILIES[name], SPECIAL), name)


def floats(holder: object) -> int:
    """Return the numbers that a cache of a real model holds, its layers' tensors and states one by one."""
    held = [value for layer in holder.layers for value in vars(layer).values()]  # type: ignore[attr-defined]
    values = [one for value in held for one in (value.values() if isinstance(value, dict) else [value])]
    return sum(one.numel() for one in values if isinstance(one, torch.Tensor) and one.is_floating_point())


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_weights_and_cache_are_the_real_models(name: str) -> None:
    """A real model of each family has as many weights, and caches as many numbers after a prompt."""
    config = configured(FAMILIES[name], SPECIAL)
    model = class_for(config).from_config(config).eval()
    found = counted(name)
    assert found.parameters == model.num_parameters()
    with torch.no_grad():
        said = model(input_ids=torch.ones(1, TOKENS, dtype=torch.long), use_cache=True)
    cache = said.cache_params if "cache_params" in said else said.past_key_values
    assert found.cache_bytes(TOKENS, 2) == 2 * floats(cache) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("way", ["full", "lora"])
def test_kept_bytes_are_a_real_trainings(name: str, way: str, tmp_path: Path) -> None:
    """What is counted a token is what a real step keeps but for the head's input, and a mask a layer at most."""
    base = make(FAMILIES[name], tmp_path / "base")
    settings = lora(FAMILIES[name].modules) if way == "lora" else Method(learning_rate=1e-2)
    plan = Plan.literal(settings).model_copy(update={"activation_checkpointing": False})
    trainer, _ = trainer_for(lesson(base, settings), plan, tmp_path)
    batch = next(iter(trainer.get_train_dataloader()))
    twice = {key: value.repeat(2, 1) for key, value in batch.items()}
    tokens = batch["input_ids"].shape[1]
    real = (kept_bytes(trainer, twice) - kept_bytes(trainer, batch)) / tokens
    sizes = Counted(config_of(base), name)
    rank = settings.ranks[0] if settings.ranks else None
    found, _ = sizes.kept_bytes(settings.model_copy(update={"max_length": tokens}), rank, 4)
    assert real - 5 * sizes.hidden <= found <= real + 4 * tokens * sizes.layers


@pytest.mark.parametrize("rank", [None, 4])
@pytest.mark.parametrize("width", [4, 2])
@pytest.mark.parametrize("stored", ["float32", "bfloat16"])
def test_a_count_comes_to_what_the_formulae_say(rank: int | None, width: int, stored: str) -> None:
    """Of a dense decoder, whose shape says all, the count is the same, and within 6 % in what a step keeps.

    In whatever type its weights are stored: training has them in fp32.
    """
    sizes = {"hidden_size": 128, "intermediate_size": 320, "num_hidden_layers": 12}  # the ends weigh little then
    config = configured(FAMILIES["qwen3-base"], SPECIAL | sizes | {"dtype": stored})
    shape, found = shape_of(config.to_dict(), "m"), Counted(config, "m")
    settings = Method(ranks=(rank,), max_length=TOKENS) if rank else Method(max_length=TOKENS)
    for figure in ("parameters", "trained_in_full", "looked_up", "linear", "read_per_token", "hidden", "layers"):
        assert getattr(found, figure) == getattr(shape, figure), figure
    assert found.cache_bytes(TOKENS, width) == shape.cache_bytes(TOKENS, width)
    if rank:
        assert found.adapter(settings, rank) == shape.adapter(settings, rank)
    formula, count = (footprint_of(one, settings, rank, width).kept_bytes for one in (shape, found))
    assert count == pytest.approx(formula, rel=0.06)
    assert found.kept_bytes(settings, rank, 6 - width)[0] != count  # the same model is counted again at the other width


@pytest.mark.parametrize("peft", [{"type": "IA3", "feedforward_modules": []}, {"use_dora": True}, {"type": "VERA"}])
def test_any_adapter_is_counted(peft: dict[str, object]) -> None:
    """What PEFT would train of an adapter is counted, be it no LoRA."""
    from peft import get_peft_model

    from tunescale_core.study.grid import Variant
    from tunescale_core.training.recipe import adapter_config

    rank = 4 if peft.get("type") != "IA3" else None
    settings = Method(ranks=(4,) if rank else None, target_modules=("q_proj",), peft=peft)
    config = configured(FAMILIES["qwen3-base"], SPECIAL)
    adapter = adapter_config(Variant("m", "x", "arc", 0, rank, settings, "m-x-on-arc"))
    real = get_peft_model(class_for(config).from_config(config), adapter)
    found = Counted(config, "m").adapter(settings, rank)
    assert found == real.get_nb_trainable_parameters()[0] > 0
    if "type" not in peft:
        assert shape_of(config.to_dict(), "m").adapter(settings, rank) == found


@pytest.mark.parametrize(("name", "share"), [("mixtral", 2 / 4), ("qwen3-moe", 2 / 4)])
def test_experts_that_are_not_chosen_are_not_read(name: str, share: float) -> None:
    """Of a mixture a token reads the experts it goes through."""
    found = counted(name)
    experts = sum(weight.numel() for key, weight in found.bare.named_parameters() if ".experts." in key)
    assert experts > 0
    assert found.parameters - found.looked_up - found.read_per_token == (1 - share) * experts


@pytest.mark.parametrize("name", EXPERTS)
@pytest.mark.parametrize("width", [4, 2])
def test_experts_keep_what_real_ones_do(name: str, width: int) -> None:
    """However tokens are routed, a pass keeps what is counted, a mask a layer aside; transformers' code is put back."""
    real = moe._grouped_mm
    config = configured(FAMILIES[name], SPECIAL)
    model = class_for(config).from_config(config).train()
    one, two = (_kept(model, rows, TOKENS, width) for rows in (1, 2))
    found, _ = Counted(config, name).kept_bytes(Method(max_length=TOKENS), None, width)
    assert (two - one) / TOKENS <= found <= (two - one) / TOKENS + 4 * TOKENS * config.num_hidden_layers
    assert moe._grouped_mm is real


@pytest.mark.parametrize("name", ["mixtral", "qwen3-moe"])
def test_an_adapter_on_experts_makes_their_weights_anew(name: str, tmp_path: Path) -> None:
    """A LoRA on experts keeps weights of their size for the backward pass, which a count and a planner both see.

    One that leaves the experts alone keeps next to nothing beside its rows.
    """
    base = make(FAMILIES[name], tmp_path / "base")
    on_all = Method(ranks=(4,), dropout=0, target_modules="all-linear", max_length=TOKENS)
    sizes = Counted(config_of(base), name)
    experts = 4 * sum(weight.numel() for key, weight in sizes.bare.named_parameters() if ".experts." in key)
    plan = Plan.literal(on_all).model_copy(update={"activation_checkpointing": False})
    trainer, _ = trainer_for(lesson(base, on_all), plan, tmp_path)
    batch = next(iter(trainer.get_train_dataloader()))
    one, two = (kept_bytes(trainer, {key: value.repeat(n, 1) for key, value in batch.items()}) for n in (1, 2))
    found = footprint_of(sizes, on_all, 4, 4)
    assert found.once_bytes == pytest.approx(2 * one - two, rel=0.05)
    assert experts < found.once_bytes < 1.2 * experts
    predicted = [found.predicted(1, 8, checkpointing=on) for on in (False, True)]
    bare = [found.model_copy(update={"once_bytes": 0}).predicted(1, 8, checkpointing=on) for on in (False, True)]
    assert predicted[0] - bare[0] == found.once_bytes
    assert predicted[1] - bare[1] == pytest.approx(found.once_bytes / sizes.layers, abs=1)
    beside = lora(("q_proj",)).model_copy(update={"max_length": TOKENS})
    assert footprint_of(sizes, beside, 4, 4).once_bytes < experts / 4


def test_towers_are_neither_trained_nor_read() -> None:
    """Of a model that sees, full tuning trains what text goes through, and a token reads no more."""
    found = counted("gemma3-vision")
    assert found.read_per_token == found.trained_in_full < found.parameters


def test_windows_bound_the_cache() -> None:
    """Where every layer has a window, twice the tokens cache no more."""
    found = counted("cohere2")
    assert found.cache_bytes(200, 2) == found.cache_bytes(100, 2)


def test_what_peft_refuses_is_said() -> None:
    """An adapter that does not fit, or that PEFT does not know, ends in one line."""
    with pytest.raises(TrainingError, match="cannot be adapted as declared: the model has no c_attn"):
        counted("phi3").adapter(Method(ranks=(4,), target_modules=("c_attn",)), 4)
    with pytest.raises(StudyError, match="PEFT has no adapter 'LORRA'"):
        counted("phi3").adapter(Method(peft={"type": "LORRA"}), None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qwen3-base", "phi", "gemma3-vision", "mixtral", "gpt2"])
@pytest.mark.parametrize(("bits", "kind"), [("4bit", "Linear4bit"), ("8bit", "Linear8bitLt")])
def test_what_few_bits_hold_is_what_is_counted(name: str, bits: Bits, kind: str, tmp_path: Path) -> None:
    """The weights of the layers that are really rounded are those that estimates take for linear, towers' too."""
    sizes = {"hidden_size": 64, "n_embd": 64, "intermediate_size": 128}
    family = FAMILIES[name]
    family = replace(family, sizes=family.sizes | {key: value for key, value in sizes.items() if key in family.sizes})
    base = make(family, tmp_path / "base")
    opened = open_model(base, Protocol(dtype="float32"), bits)
    rounded = [one for one in opened.model.modules() if type(one).__name__ == kind]
    found = Counted(config_of(base), name)
    weights = sum(one.in_features * one.out_features for one in rounded)
    assert weights == pytest.approx(found.linear, rel=0.005)  # a tower's pooling head is one that cannot be rounded
    assert found.linear_read <= found.linear
    held = opened.model.get_memory_footprint(return_buffers=False)
    assert held == pytest.approx(4 * found.parameters - (4 - HELD[bits]) * found.linear, rel=0.02)


def test_a_tower_is_rounded_and_not_read() -> None:
    """In few bits a model that sees saves its tower's weights in memory, and a token no more than it reads."""
    found = counted("gemma3-vision")
    tower = [name for name in found._linear if "vision" in name]
    assert found.linear - found.linear_read >= sum(found._linear[name] for name in tower) > 0
    assert found.linear_read < found.read_per_token
