"""Whether an adapter fits a model: its modules are there, and PEFT can put it on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunescale_core.errors import TrainingError
from tunescale_core.models.architecture import tower_pattern, unweighted
from tunescale_core.study.grid import Variant
from tunescale_core.training.recipe import adapter_config

if TYPE_CHECKING:
    from peft import PeftConfig

REFUSED = re.compile(r"[Tt]arget module|PeftType|ParamWrapper|PEFT adapter")
"""What PEFT's and TRL's words on an adapter that does not fit have in common."""
EXPERTS, DROPOUT = "ParamWrapper", "lora_dropout"
"""What PEFT names where a dropout is wanted on the weights of experts, which it has none for."""


def adapter_for(variant: Variant, model: Any) -> PeftConfig | None:
    """Return PEFT's configuration for a variant on a model, None for full fine-tuning.

    It leaves out the towers of a model that reads more than text: no answer would teach them anything.

    Raises:
        StudyError: PEFT knows no such adapter, or the adapter no such setting.
        TrainingError: The model lacks a module that the adapter is to be put on.
    """
    config = adapter_config(variant)
    if config is None:
        return None
    pattern = tower_pattern(model)
    if pattern and getattr(config, "exclude_modules", "") is None:  # not every adapter can leave something out
        config.exclude_modules = pattern
    wanted = getattr(config, "target_modules", None)
    if isinstance(wanted, set | list):
        head = model.get_output_embeddings()  # TRL's loss takes it as it is
        names = [name for name, one in model.named_modules() if one is not head]
        if missing := sorted(one for one in wanted if not any(f".{name}".endswith(f".{one}") for name in names)):
            raise TrainingError(
                f"{variant.id} cannot be adapted as declared: the model has no {', '.join(missing)} to put it on; "
                f'name target_modules among {", ".join(linear_names(model))}, or "all-linear"'
            )
        check_untied(variant, model, wanted)
    return config


def check_untied(variant: Variant, model: Any, wanted: Iterable[str]) -> None:
    """Refuse an adapter on embeddings that are the head too: merged it would change both, beside the base but one.

    Raises:
        TrainingError: The adapter is put on them.
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head is None or embedding.weight is not head.weight:
        return
    name = next(name for name, one in model.named_modules() if one is embedding)
    if any(f".{name}".endswith(f".{one}") for one in wanted):
        raise TrainingError(
            f"{variant.id} cannot be adapted as declared: {name} is the model's head too, and an adapter on it would "
            "be merged into both; leave it out of target_modules, or name it in modules_to_save"
        )


def linear_names(model: Any) -> list[str]:
    """Return the names of a model's linear layers, each once, by their last part."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    linear = [name for name, one in model.named_modules() if isinstance(one, nn.Linear | Conv1D) and one is not head]
    last = dict.fromkeys(name.rpartition(".")[2] for name in linear)
    return [name for name in last if not name.isdigit()]


@contextmanager
def fitting(variant: Variant, model: Any) -> Iterator[None]:
    """Say in a line why PEFT cannot put an adapter on a model.

    Raises:
        TrainingError: So it is.
    """
    names = linear_names(model)
    try:
        yield
    except ValueError as error:
        if not REFUSED.search(str(error)):
            raise
        raise _refusal(variant, names, error) from error


def check_fits(variant: Variant, folder: Path) -> bool:
    """Try an adapter on a model of the same form without weights; tell whether it could be tried.

    What needs the weights themselves is tried when they are there: what begins from them, and a base in 4 bits.

    Args:
        variant: Whose adapter it is; full fine-tuning always fits.
        folder: Of the model's `config.json`.

    Raises:
        ModelError: The configuration is none of a language model.
        StudyError: PEFT knows no such adapter, or the adapter no such setting.
        TrainingError: It does not fit.
    """
    if variant.settings is None or variant.settings.adapter is None:
        return True
    from peft import get_peft_model

    model = unweighted(folder)
    adapter, names = adapter_for(variant, model), linear_names(model)
    if getattr(adapter, "init_lora_weights", True) is not True or variant.settings.quantize is not None:
        return False
    try:
        get_peft_model(model, adapter, low_cpu_mem_usage=True)
    except (NotImplementedError, RuntimeError, TypeError, AttributeError):
        return False  # it reads weights
    except ValueError as error:
        raise _refusal(variant, names, error) from error
    return True


def _refusal(variant: Variant, names: list[str], error: Exception) -> TrainingError:
    said, listed = " ".join(str(error).split()).partition(". ")[0], ", ".join(names)
    if EXPERTS in said and DROPOUT in said:
        return TrainingError(
            f"{variant.id}: all-linear takes a mixture's experts too, which PEFT has no dropout for: set dropout = 0, "
            f"or name target_modules among {listed}"
        )
    return TrainingError(
        f"{variant.id} cannot be adapted: {said}; give other target_modules or peft settings, the model has {listed}"
    )
