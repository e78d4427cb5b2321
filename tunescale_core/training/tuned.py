"""What a fine-tuning run leaves: a plain model, merged if it was adapted, and the adapter beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunescale_core.models.architecture import config_of
from tunescale_core.models.chat import tokenizer_of
from tunescale_core.models.opened import load_weights
from tunescale_core.models.trusted import is_trusted, trust
from tunescale_core.models.turn import GENERATION, ends_of, own_ends
from tunescale_core.reading import json_of
from tunescale_core.training.lesson import Lesson

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig
    from transformers import GenerationConfig

    from tunescale_core.training.order import Trainer


def save_tuned(trainer: Trainer, lesson: Lesson, target: Path) -> None:
    """Write the model, merged if it was adapted, in the base's own type, and the adapter beside it.

    The trainer cannot go on after it: what only training needs is let go of first, for merging takes memory too.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    for holder in (trainer, trainer.callback_handler):
        holder.optimizer = holder.lr_scheduler = None
    trainer.accelerator.free_memory()
    model.zero_grad(set_to_none=True)
    if lesson.settings.adapter is not None:
        _order_sets(model.peft_config.values())
        model.save_pretrained(target / "adapter")
        model = _merged(model, lesson, target / "adapter")
    model.config.use_cache = getattr(config_of(lesson.base), "use_cache", True)  # the trainer turned it off for itself
    # Rounding once, after the fp32 merge, is the most exact way to the base's type.
    model.to(_dtype_of(lesson.base)).save_pretrained(target / "model")
    if is_trusted(lesson.base):
        trust(target / "model")
    _keep_ends(lesson, target / "model")
    tokenizer_of(lesson.base).save_pretrained(target / "model")


def ends_alone(own: GenerationConfig) -> GenerationConfig:
    """Return a base's generation configuration without all but its special tokens; the whole is copied when saved.

    Values of sampling without `do_sample` are loaded, but once a token is aligned with the tokenizer's they are not
    saved, and a training would fail at its end.
    """
    from transformers import GenerationConfig

    kept = ("bos_token_id", "eos_token_id", "pad_token_id")
    return GenerationConfig(**{name: getattr(own, name) for name in kept})


def _dtype_of(base: Path) -> torch.dtype:
    """Return the type of a base's weights, as its configuration says; older ones do not."""
    import torch

    config = config_of(base)
    return config.dtype or config.get_text_config().dtype or torch.float32


def _keep_ends(lesson: Lesson, target: Path) -> None:
    """Leave beside a tuned model how its base generates, and what ends its answers: servers look nowhere else."""
    kept = target / GENERATION
    if (lesson.base / GENERATION).is_file():
        shutil.copy(lesson.base / GENERATION, kept)
    own = own_ends(lesson.base)
    if (ends := ends_of(lesson.tokenizer, own)) != own:
        told = json_of(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
        kept.write_text(json.dumps(told | {"eos_token_id": ends}, indent=2) + "\n", encoding="utf-8")


def _order_sets(configs: Iterable[PeftConfig]) -> None:
    """Make sorted lists of the sets that PEFT makes of module names: a set's order differs from process to process."""
    for config in configs:
        for name, value in vars(config).items():
            if isinstance(value, set):
                setattr(config, name, sorted(value))


def _merged(model: Any, lesson: Lesson, adapter: Path) -> Any:
    """Return a plain model with the adapter's weights added to its own.

    Of a 4-bit base the sum starts from the weights as training saw them: adding to the 4-bit ones would round once
    more, to 4 bits, and adding to the original ones would leave out what the adapter learnt to make up for.
    """
    if lesson.settings.quantize is None:
        return model.merge_and_unload()
    import torch
    from peft import PeftModel
    from peft.utils.integrations import dequantize_bnb_weight

    plain = load_weights(lesson.base, torch.float32)
    for name, module in model.get_base_model().named_modules():
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        if state is not None:
            weight = dequantize_bnb_weight(module.weight, state=state)
            plain.get_submodule(name.removesuffix(".base_layer")).weight.data = weight.float().cpu()
    return PeftModel.from_pretrained(plain, adapter).merge_and_unload()
