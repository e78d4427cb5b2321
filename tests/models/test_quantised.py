"""Weights in few bits: which layers hold them, in how little, and what is said where they cannot be."""

from __future__ import annotations

import json
import logging
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tunescale_core.decoding.decoder import EagerDecoder
from tunescale_core.errors import ModelError
from tunescale_core.models import quantised
from tunescale_core.models.base import resolve
from tunescale_core.models.opened import open_model
from tunescale_core.study.method import Bits
from tunescale_core.study.model import Model
from tunescale_core.study.protocol import Protocol

FOLDER = resolve(Model(source="embedded:mini-small"), Path()).folder
PROTOCOL = Protocol(max_new_tokens=4, dtype="float32")
HI = ({"role": "user", "content": "Which is a tree? A. oak B. tea"},)


@pytest.mark.parametrize(("bits", "kind", "most"), [("4bit", "Linear4bit", 0.27), ("8bit", "Linear8bitLt", 0.40)])
def test_linear_layers_are_held_in_few_bits(
    bits: Bits, kind: str, most: float, caplog: pytest.LogCaptureFixture
) -> None:
    """All linear layers but the head are, the model is that much smaller, answers, and says nothing at each product."""
    whole, opened = open_model(FOLDER, PROTOCOL), open_model(FOLDER, PROTOCOL, bits)
    kinds = Counter(type(one).__name__ for one in opened.model.modules() if "Linear" in type(one).__name__)
    assert kinds == {kind: 28, "Linear": 1}
    assert opened.model.get_memory_footprint() < most * whole.model.get_memory_footprint()
    decoder = EagerDecoder(opened, PROTOCOL)
    call = decoder.prepare([HI])
    with caplog.at_level(logging.WARNING):
        decoder.run(call)
    assert decoder.completions(call)[0].tokens in range(1, 5)
    assert not [said for said in caplog.messages if "cast" in said]


def test_full_precision_is_not_touched() -> None:
    """Without a word of bits, a model's layers are what they are."""
    assert quantised.quantisation(None, open_model(FOLDER, PROTOCOL).model.dtype) is None


def test_the_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bitsandbytes is not installed, the line names the extra."""
    monkeypatch.setattr(quantised, "find_spec", lambda _: None)
    with pytest.raises(
        ModelError, match=r'^quantize = "8bit" needs bitsandbytes: pip install "tunescale\[quantized\]"$'
    ):
        open_model(FOLDER, PROTOCOL, "8bit")


@pytest.mark.parametrize("said", [{"quant_method": "fp8"}, {"quant_method": "bitsandbytes", "load_in_8bit": True}])
def test_weights_that_are_stored_in_few_bits_are_refused(said: dict[str, object], tmp_path: Path) -> None:
    """Codes that nobody unpacks would be taken for weights: one line says so, and what to name instead."""
    folder = tmp_path / "model"
    shutil.copytree(FOLDER, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": said}))
    with pytest.raises(ModelError, match=rf"stored quantised \({said['quant_method']}\); name the model"):
        open_model(folder, PROTOCOL)
