"""Opening a model: its weights, its adapter, its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunescale_core.errors import ModelError, first_line
from tunescale_core.exhausted import exhausted, telling
from tunescale_core.models.architecture import class_for, config_of
from tunescale_core.models.chat import tokenizer_of
from tunescale_core.models.device import device, dtype_of
from tunescale_core.models.quantised import check_full, quantisation
from tunescale_core.models.trusted import is_trusted, reason
from tunescale_core.study.method import Bits
from tunescale_core.study.protocol import Protocol

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PreTrainedModel, PreTrainedTokenizerBase

ADAPTER = "adapter_model.safetensors"


@dataclass(frozen=True)
class Opened:
    """A model ready to generate."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    device: str


def open_model(folder: Path, protocol: Protocol, bits: Bits | None = None) -> Opened:
    """Load a checkpoint for generation.

    Args:
        folder: Where it lies.
        protocol: Its type and threads.
        bits: That its linear weights are rounded to; None for none.

    Raises:
        ModelError: Its files cannot be read, or what holds weights in few bits is not installed.
        ResourceError: It does not fit into memory, or too many files are open.
    """
    import torch

    if protocol.threads:
        torch.set_num_threads(protocol.threads)
    try:
        with telling(_opening(folder, dtype_of(protocol)), folder):
            model = load_weights(folder, dtype_of(protocol), quantisation(bits, dtype_of(protocol)))
            model = model.eval() if bits else model.to(device()).eval()  # in few bits it is where it is to run
            tokenizer = tokenizer_of(folder)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise ModelError(f"model folder {folder} cannot be opened: {reason(error)}") from error
    return Opened(model, tokenizer, device())


def open_adapted(base: Path, adapter: Path, protocol: Protocol) -> Opened:
    """Load a base model with an adapter beside it, not merged.

    Raises:
        ModelError: Its files cannot be read.
        ResourceError: It does not fit into memory, or too many files are open.
    """
    from peft import PeftModel

    if not (adapter / ADAPTER).is_file():
        raise ModelError(f"adapter {adapter} cannot be opened: it has no {ADAPTER}, and nothing else is read")
    opened = open_model(base, protocol)
    try:
        # In the base's own type, as a server would hold it: fp32 beside bfloat16 casts in every layer.
        with telling(f"adapter {adapter}, to be opened on {opened.device}", adapter):
            own = set(map(id, opened.model.parameters()))
            model = PeftModel.from_pretrained(opened.model, adapter, autocast_adapter_dtype=False)
            for parameter in model.parameters():  # and no buffer: rotary frequencies stay in fp32, as when merged
                if id(parameter) not in own:
                    parameter.data = parameter.data.to(dtype_of(protocol))
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"adapter {adapter} cannot be opened: {first_line(error)}") from error
    return Opened(model.eval(), opened.tokenizer, opened.device)


def load_weights(folder: Path, dtype: torch.dtype, quantisation: BitsAndBytesConfig | None = None) -> Any:
    """Load the language model of a folder; weights from safetensors alone, its own code only where trusted.

    Raises:
        ModelError: Its files cannot be read, are quantised, or lack weights, which would be random ones.
    """
    from safetensors import SafetensorError
    from transformers.utils import logging

    logging.disable_progress_bar()
    check_full(folder)
    try:
        model, loaded = class_for(config_of(folder)).from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=is_trusted(folder),
            quantization_config=quantisation,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError, ImportError) as error:
        if exhausted(error, str(folder), folder):
            raise  # whoever wants it says what ran out, and for what
        raise ModelError(f"model folder {folder} cannot be opened: {reason(error)}") from error
    if missing := sorted(loaded["missing_keys"]):
        others = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise ModelError(
            f"model folder {folder} cannot be opened: its files lack the weights {missing[0]}{others}, so it is "
            "not whole, or no language model; save it again, or name another"
        )
    return model


def _opening(folder: Path, dtype: torch.dtype) -> str:
    return f"model folder {folder}, to be opened on {device()} as {str(dtype)[6:]}"
