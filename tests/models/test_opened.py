"""Opened models: ready to generate, or one line that says why not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tunescale_core.errors import ModelError
from tunescale_core.models.opened import open_model
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


def test_weights_of_another_form_are_not_read(small: Path) -> None:
    """Pickled weights, as a hub's repository may have them alone, are no model: one line says how they become one."""
    (small / "model.safetensors").rename(small / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"cannot be opened: it has no weights in safetensors, .*, which writes saf"):
        open_model(small, Protocol())
