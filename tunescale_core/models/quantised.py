"""Weights in few bits: as a base is held while a LoRA on it is trained, or as a model is served."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tunescale_core.errors import ModelError
from tunescale_core.reading import json_of
from tunescale_core.study.method import Bits

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig

PACKAGE = "bitsandbytes"


def check_full(folder: Path) -> None:
    """Make sure that a checkpoint holds its weights in full: what lies in few bits is no number until it is unpacked.

    Raises:
        ModelError: Its configuration says that it was quantised.
    """
    try:
        said = json_of((folder / "config.json").read_text(encoding="utf-8"))
        how = said.get("quantization_config") or (said.get("text_config") or {}).get("quantization_config")
    except (OSError, ValueError, AttributeError):
        return  # whoever opens it says so
    if how:
        kind = how.get("quant_method", "few bits") if isinstance(how, dict) else "few bits"
        raise ModelError(
            f"model folder {folder} cannot be opened: its weights are stored quantised ({kind}); name the model that "
            "it was made of, and round that by quantize, or ask a server that holds this one"
        )


def quantisation(bits: Bits | None, compute: torch.dtype) -> BitsAndBytesConfig | None:
    """Return how linear weights are held, None for full precision.

    4bit is NF4 with quantised scales (Dettmers et al., 2023), 8bit LLM.int8() (Dettmers et al., 2022).

    Args:
        bits: How many.
        compute: The type that 4-bit weights are multiplied in.

    Raises:
        ModelError: bitsandbytes is not installed.
    """
    if bits is None:
        return None
    check_installed(bits)
    from transformers import BitsAndBytesConfig

    if bits == "8bit":
        logging.getLogger(f"{PACKAGE}.autograd._functions").addFilter(_is_news)
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


def _is_news(said: logging.LogRecord) -> bool:
    """Tell whether a line of the log is any: that 8 bits are multiplied in half precision is said at each product."""
    return "will be cast from" not in str(said.msg)


def check_installed(bits: Bits) -> None:
    """Make sure that weights can be held in few bits here.

    Raises:
        ModelError: bitsandbytes is not installed.
    """
    if find_spec(PACKAGE) is None:
        raise ModelError(f'quantize = "{bits}" needs bitsandbytes: pip install "tunescale[quantized]"')
