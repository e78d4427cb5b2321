"""What a model is made of: towers beside the part that reads text."""

import re

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

from tests.families import FAMILIES, configured
from tunescale_core.models.architecture import class_for, freeze_towers, tower_pattern, towers


def built(name: str) -> torch.nn.Module:
    config = configured(FAMILIES[name], {"vocab_size": 64, "pad_token_id": 0})
    with torch.device("meta"):
        model: torch.nn.Module = class_for(config).from_config(config)
    return model


def test_a_model_of_text_has_no_towers() -> None:
    """Nothing of a language model alone is left out."""
    model = built("llama")
    assert towers(model) == ()
    assert tower_pattern(model) is None


def test_towers_are_what_no_text_goes_through() -> None:
    """Of models that see, the vision tower and the projector are found, under whichever class they are opened."""
    for name in ("gemma3-vision", "mistral3"):
        model = built(name)
        assert towers(model) == ("model.vision_tower", "model.multi_modal_projector")
        pattern = re.compile(tower_pattern(model) or "")
        caught = {key for key, _ in model.named_modules() if pattern.fullmatch(key)}
        assert caught
        assert {key for key in caught if "language_model" in key or "lm_head" in key} == set()
        assert all(key in caught for key, _ in model.named_modules() if key.startswith("model.vision_tower"))


def test_frozen_towers_are_not_trained() -> None:
    """Once towers are frozen, what is left to train is the text's part."""
    model = built("gemma3-vision")
    freeze_towers(model)
    trained = {key.split(".")[1] for key, weight in model.named_parameters() if weight.requires_grad}
    assert trained == {"language_model"}


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "electra"])
def test_an_encoder_is_no_language_model(kind: str) -> None:
    """What sees the words after each is refused, unless its configuration makes it a decoder."""
    with pytest.raises(ValueError, match=f"^{kind} is an encoder; only decoders"):
        class_for(AutoConfig.for_model(kind))
    assert class_for(AutoConfig.for_model(kind, is_decoder=True)) is AutoModelForCausalLM


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_a_class(name: str) -> None:
    """None of the families that are tried is taken for an encoder."""
    found = class_for(configured(FAMILIES[name], {"vocab_size": 64}))
    assert found in {AutoModelForCausalLM, AutoModelForImageTextToText}
