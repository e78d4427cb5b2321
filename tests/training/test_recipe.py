"""Settings on their way to TRL and PEFT."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunescale_core.progress import Progress
from tunescale_core.study.grid import Variant, variants
from tunescale_core.study.loading import load
from tunescale_core.study.method import Method
from tunescale_core.tasks import Example
from tunescale_core.training.lesson import Lesson
from tunescale_core.training.recipe import adapter_config, conversations, sft_config, steps_of
from tunescale_core.training.tune import tune

EXAMPLE = Example("1", ({"role": "system", "content": "S"}, {"role": "user", "content": "U"}), ("A",), "\\boxed{A}")
SAID = {"role": "assistant", "content": "\\boxed{A}"}


def paper(method: str) -> Variant:
    return next(v for v in variants(load("paper")) if v.method == method and v.task == "arc")


def test_whole_conversations() -> None:
    """Where all tokens are learnt a row is one conversation that ends with the target."""
    assert conversations([EXAMPLE, EXAMPLE], "all") == [{"messages": [*EXAMPLE.messages, SAID]}] * 2


def test_prompt_and_completion_apart() -> None:
    """Where the answer alone is learnt a row keeps the prompt and the target apart."""
    assert conversations([EXAMPLE], "completion") == [{"prompt": list(EXAMPLE.messages), "completion": [SAID]}]


def test_conversations_leave_examples_alone() -> None:
    """Making rows does not touch the examples they are made from."""
    conversations([EXAMPLE], "all")
    assert len(EXAMPLE.messages) == 2


@pytest.mark.parametrize(
    ("rows", "settings", "steps"),
    [
        (5000, Method(), 625),
        (800, Method(batch=8, accumulation=1), 100),
        (16, Method(batch=8, accumulation=1), 2),
        (17, Method(batch=8, accumulation=1), 3),
        (1, Method(), 1),
        (5000, Method(epochs=2), 1250),
        (5000, Method(epochs=0.5), 313),
    ],
)
def test_steps(rows: int, settings: Method, steps: int) -> None:
    """Steps are epochs of rows over batch and accumulation, what is left over making a step of its own."""
    assert steps_of(settings, rows) == steps


@given(rows=st.integers(1, 10_000), batch=st.integers(1, 64), accumulation=st.integers(1, 64))
def test_steps_cover_every_row(rows: int, batch: int, accumulation: int) -> None:
    """An epoch's steps are just enough to see every row."""
    steps = steps_of(Method(batch=batch, accumulation=accumulation), rows)
    assert steps == math.ceil(rows / (batch * accumulation))


@pytest.mark.parametrize("method", ["full", "lora-r32"])
def test_sft_config_of_the_paper(method: str, tmp_path: Path) -> None:
    """The paper's recipe reaches TRL value by value."""
    settings = paper(method).settings
    assert settings is not None
    config = sft_config(settings, 3, 5000, tmp_path)
    assert (config.learning_rate, config.num_train_epochs, config.lr_scheduler_type) == (1e-5, 1.0, "linear")
    assert config.get_warmup_steps(100) == 6
    assert (config.per_device_train_batch_size, config.gradient_accumulation_steps) == (1, 8)
    assert (config.max_length, config.packing, config.assistant_only_loss) == (1024, False, False)
    assert (config.weight_decay, config.max_grad_norm) == (0.0, 1.0)
    assert config.activation_checkpointing is True
    assert (config.seed, config.data_seed) == (3, 3)
    assert config.fp16 is False


def test_sft_config_follows_the_settings(tmp_path: Path) -> None:
    """What a study changes is changed in TRL, and nothing is saved or reported by it."""
    settings = Method(learning_rate=1e-3, batch=4, accumulation=2, max_length=99, activation_checkpointing=False)
    config = sft_config(settings, 0, 800, tmp_path)
    assert (config.learning_rate, config.per_device_train_batch_size, config.gradient_accumulation_steps) == (
        1e-3,
        4,
        2,
    )
    assert (config.max_length, config.activation_checkpointing) == (99, False)
    assert config.save_strategy == "no"
    assert config.report_to in ("none", [])
    assert config.logging_steps == 100 // 20


@pytest.mark.parametrize("rank", [32, 64, 256, 512, 1024])
def test_lora_config_of_the_paper(rank: int) -> None:
    """Each of the paper's ranks adapts the four attention projections with alpha 16 and dropout 0.1."""
    config = adapter_config(paper(f"lora-r{rank}"))
    assert config is not None
    assert (config.r, config.lora_alpha, config.lora_dropout) == (rank, 16, 0.1)
    assert set(config.target_modules) == {"q_proj", "k_proj", "v_proj", "o_proj"}
    assert config.task_type == "CAUSAL_LM"
    assert config.bias == "none"


def test_lora_config_of_all_linear() -> None:
    """`all-linear` is handed to PEFT as the word it knows."""
    variant = next(v for v in variants(load("mini")) if v.method == "lora-r4")
    config = adapter_config(variant)
    assert config is not None
    assert config.target_modules == "all-linear"


def test_full_fine_tuning_has_no_adapter() -> None:
    """A variant without a rank gets no PEFT configuration."""
    assert adapter_config(paper("full")) is None


def test_an_untuned_variant_cannot_be_trained(tmp_path: Path) -> None:
    """Asking to tune an untuned variant is an error before anything is loaded or written."""
    base = next(v for v in variants(load("mini")) if v.method == "base")
    with pytest.raises(ValueError, match="mini-small-base is untuned"):
        tune(Lesson(base, tmp_path / "none", [EXAMPLE]), tmp_path, Progress(), "planned")
    assert list(tmp_path.iterdir()) == []


def adapter(**fields: object) -> Any:
    settings = Method.model_validate(fields)
    return adapter_config(Variant("m", "method", "arc", 0, None, settings, "m-method-on-arc"))


def test_adapters_of_other_kinds_are_put_where_they_belong() -> None:
    """A layer norm's are on no attention unless a study says so; scales of the attention are no feed-forward's."""
    assert adapter(peft={"type": "LN_TUNING"}).target_modules is None
    named = adapter(peft={"type": "LN_TUNING"}, target_modules=("input_layernorm",))
    assert set(named.target_modules) == {"input_layernorm"}
    scales = adapter(peft={"type": "IA3"})
    assert (scales.target_modules, scales.feedforward_modules) == ({"q_proj", "k_proj", "v_proj", "o_proj"}, set())
    own = adapter(peft={"type": "IA3", "feedforward_modules": ["down_proj"]}, target_modules=("k_proj", "down_proj"))
    assert set(own.feedforward_modules) == {"down_proj"}
