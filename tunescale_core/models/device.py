"""What models run on, and the type of their weights there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunescale_core.study.protocol import Protocol

if TYPE_CHECKING:
    import torch


def device() -> str:
    """Return the device models run on: an accelerator where there is one."""
    import torch

    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator.type if accelerator else "cpu"


def dtype_of(protocol: Protocol) -> torch.dtype:
    """Return the type of weights: as declared, or bfloat16 on an accelerator and float32 on a CPU."""
    import torch

    name = protocol.dtype if protocol.dtype != "auto" else "float32" if device() == "cpu" else "bfloat16"
    found: torch.dtype = getattr(torch, name)
    return found
