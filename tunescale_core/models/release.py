"""Giving memory back once a model is done with, so that what follows finds it at hand."""

from __future__ import annotations

import ctypes
import gc
import sys
from importlib import import_module

from tunescale_core.models.device import device

_SETTLED: set[str] = set()
"""Packages and modules whose objects are set aside."""


def settle(*modules: str) -> None:
    """Import modules, and set aside all that is alive, so that the garbage collector does not look at it again.

    It looks at every object there is, half a second with a training's libraries, each time that memory is given back.
    To be called while no model is open: what is set aside and refers to itself is never freed.
    """
    if fresh := [name for name in modules if name not in _SETTLED]:
        for name in fresh:
            import_module(name)
        gc.collect()
        gc.freeze()
        _SETTLED.update(fresh)


def release() -> None:
    """Free what nothing refers to, and hand it back to the device or the system.

    A trainer and its model refer to each other, so they go with the garbage collector alone; and the C library keeps
    freed blocks for itself, gigabytes of them after a large model, until it is told to trim.
    """
    gc.collect()
    if (kind := device()) != "cpu":
        import torch

        getattr(torch, kind).empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not every C library has it
        if trim is not None:
            trim(0)
