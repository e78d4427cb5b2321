"""Opened models: ready to generate, or one line that says why not."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tunescale_core.errors import ModelError
from tunescale_core.models.opened import open_adapted, open_model
from tunescale_core.study.protocol import Protocol


def test_opened_models_are_ready(small: Path) -> None:
    """An opened model is in evaluation mode, of the declared type, and its tokenizer can pad and chat."""
    opened = open_model(small, Protocol(dtype="float32"))
    assert not opened.model.training
    assert str(opened.model.dtype) == "torch.float32"
    assert opened.tokenizer.pad_token_id is not None
    assert opened.tokenizer.chat_template


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"garbage"), Path.unlink])
def test_a_broken_checkpoint_is_one_line(small: Path, damage: Callable[[Path], object]) -> None:
    """A configuration that cannot be read, or is gone, is a model error in one line that names the folder."""
    damage(small / "config.json")
    with pytest.raises(ModelError, match=f"model folder {small} cannot be opened: ") as caught:
        open_model(small, Protocol())
    assert "\n" not in str(caught.value)


def test_missing_weights_are_not_made_up(small: Path) -> None:
    """A folder whose files lack weights is refused: transformers would fill them in at random, and only say so."""
    path = small / "model.safetensors"
    weights = load_file(path)
    gone = [name for name in weights if "layers.1.mlp" in name]
    save_file({name: value for name, value in weights.items() if name not in gone}, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=rf"its files lack the weights {re.escape(min(gone))} and {len(gone) - 1} mo"):
        open_model(small, Protocol())


def test_a_scorer_is_no_language_model(small: Path) -> None:
    """A classifier's folder is that of its architecture's language model, but for the head: it is refused by that."""
    config = json.loads((small / "config.json").read_text()) | {"tie_word_embeddings": False}
    (small / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        ModelError, match=r"its files lack the weights lm_head.weight, so it is not whole, or no langua"
    ):
        open_model(small, Protocol())


def test_an_encoder_decoder_is_refused(small: Path) -> None:
    """A model that reads with an encoder is refused in one line, whatever classes transformers has for it."""
    (small / "config.json").write_text(json.dumps({"model_type": "bart", "architectures": ["BartModel"]}))
    with pytest.raises(ModelError, match="cannot be opened: bart is an encoder-decoder; only decoders"):
        open_model(small, Protocol())


def test_an_adapter_leaves_buffers_as_they_are(small: Path, tmp_path: Path) -> None:
    """Beside an adapter in bfloat16 all weights are bfloat16, and rotary frequencies fp32, as in a merged model."""
    model = AutoModelForCausalLM.from_pretrained(small)
    get_peft_model(model, LoraConfig(r=2, target_modules="all-linear")).save_pretrained(tmp_path / "adapter")
    opened = open_adapted(small, tmp_path / "adapter", Protocol(dtype="bfloat16")).model
    plain = open_model(small, Protocol(dtype="bfloat16")).model
    assert {one.dtype for one in opened.parameters()} == {torch.bfloat16}
    assert {one.dtype for one in opened.buffers()} == {one.dtype for one in plain.buffers()} == {torch.float32}


def test_weights_of_another_form_are_not_read(small: Path) -> None:
    """Pickled weights, as a hub's repository may have them alone, are no model: one line says how they become one."""
    (small / "model.safetensors").rename(small / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"cannot be opened: it has no weights in safetensors, .*, which writes saf"):
        open_model(small, Protocol())
