"""Weights in few bits: as a base is held while a LoRA on it is trained, or as a model is served."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tunescale_core.errors import ModelError
from tunescale_core.study.method import Bits

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig

PACKAGE = "bitsandbytes"


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
