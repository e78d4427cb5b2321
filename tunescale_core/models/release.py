"""Giving memory back once a model is done with, so that what follows finds it at hand."""

from __future__ import annotations

import ctypes
import gc
import sys

from tunescale_core.models.device import device


def release() -> None:
    """Free what nothing refers to, and hand it back to the device or the system.

    A trainer and its model refer to each other, so they go with the garbage collector alone; and the C library keeps
    freed blocks for itself, gigabytes of them after a large model, until it is told to trim.
    """
    gc.collect()
    if device() == "cuda":
        import torch

        torch.cuda.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not every C library has it
        if trim is not None:
            trim(0)
