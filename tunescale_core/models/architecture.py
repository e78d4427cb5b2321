"""What a model is made of: the part that reads text, and the parts that do not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunescale_core.errors import ModelError
from tunescale_core.exhausted import telling
from tunescale_core.models.trusted import is_trusted, reason

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel


def config_of(folder: Path) -> PretrainedConfig:
    """Read a folder's configuration.

    Raises:
        ModelError: It cannot be read, or is of no kind that transformers knows.
    """
    from transformers import AutoConfig

    try:
        with telling(f"the configuration of {folder}, to be read", folder):
            return AutoConfig.from_pretrained(folder, trust_remote_code=is_trusted(folder))
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(f"model folder {folder} cannot be opened: {reason(error)}") from error


def configured(content: Mapping[str, Any], name: str) -> PretrainedConfig:
    """Return the configuration that the content of a `config.json` makes.

    Raises:
        ModelError: It is of no kind that transformers knows.
    """
    from transformers import AutoConfig

    try:
        config: PretrainedConfig = AutoConfig.for_model(**content)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"model {name} cannot be opened: {reason(error)}") from error
    return config


def unweighted(folder: Path) -> PreTrainedModel:
    """Build a folder's model without weights, on the `meta` device, which takes no memory.

    Raises:
        ModelError: Its configuration is none of a language model.
    """
    try:
        return built(config_of(folder))
    except (ValueError, KeyError, ImportError) as error:
        raise ModelError(f"model folder {folder} cannot be opened: {reason(error)}") from error


def built(config: PretrainedConfig) -> PreTrainedModel:
    """Build a configuration's model without weights, on the `meta` device.

    Raises:
        ValueError: It is none of a language model.
    """
    import torch

    with torch.device("meta"):
        model: PreTrainedModel = class_for(config).from_config(config)
    return model


def class_for(config: PretrainedConfig) -> Any:
    """Return the auto class that builds a language model of a configuration.

    What reads images too is, by some of its makers, no causal language model to transformers, though it answers text.

    Raises:
        ValueError: It reads with an encoder: its prompts and answers are no one text, or each word sees those after it.
    """
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
        MODEL_FOR_MASKED_LM_MAPPING,
    )

    kind = type(config)
    if config.is_encoder_decoder:
        raise ValueError(f"{config.model_type} is an encoder-decoder; only decoders (causal language models) are run")
    if kind in MODEL_FOR_MASKED_LM_MAPPING and not config.is_decoder:
        # Opened as a language model it would see, in training, the words that it is to say.
        raise ValueError(f"{config.model_type} is an encoder; only decoders (causal language models) are run")
    if kind in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING and kind not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return AutoModelForImageTextToText
    return AutoModelForCausalLM


def towers(model: PreTrainedModel) -> tuple[str, ...]:
    """Return the names of a model's largest parts that no text goes through: towers of vision and sound."""
    if model.config.get_text_config() is model.config:
        return ()
    text = {id(part) for part in (model.get_decoder(), model.get_output_embeddings())}
    return tuple(_beside("", model, text))


def freeze_towers(model: PreTrainedModel) -> None:
    """Keep a model's towers as they are: text gives them no gradient, and they are none of what is trained."""
    for name in towers(model):
        model.get_submodule(name).requires_grad_(requires_grad=False)


def tower_pattern(model: PreTrainedModel) -> str | None:
    """Return a regular expression of the names of all modules in a model's towers, None where it has none."""
    found = towers(model)
    return rf"(?:{'|'.join(map(re.escape, found))})(?:\..*)?" if found else None


def _beside(prefix: str, module: nn.Module, text: set[int]) -> list[str]:
    """Return the names of what neither is nor holds one of the parts that text goes through."""
    found = []
    for name, child in module.named_children():
        inside = {id(one) for one in child.modules()}
        if id(child) in text:
            continue
        found += _beside(f"{prefix}{name}.", child, text) if inside & text else [prefix + name]
    return found
