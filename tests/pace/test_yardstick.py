"""The yardstick: frozen work."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from tunescale_core.pace import yardstick
from tunescale_core.pace.pace import YARDSTICK

FROZEN = [0.9432, 3.1110]
"""Sum and norm of the last state."""


def test_the_work_is_frozen() -> None:
    """What is computed is what this number of yardstick always computed; other work needs another number."""
    weights, cache, begun = yardstick._made("cpu")
    torch.manual_seed(5)
    state = yardstick._work(weights, cache, begun)
    shape = (yardstick.LAYERS, yardstick.WIDTH, yardstick.HEADS, yardstick.CACHED, yardstick.STEPS)
    assert (YARDSTICK, shape) == ("yardstick-1", (4, 128, 4, 96, 20))
    assert state.shape == (1, 128)
    assert [float(state.double().sum()), float(state.double().norm())] == pytest.approx(FROZEN, rel=1e-3)


def test_the_yardstick_is_independent_of_what_it_measures() -> None:
    """It does its work in a process that never imports transformers, and no decoder of ours."""
    program = (
        "import sys; from tunescale_core.pace.yardstick import Yardstick; assert Yardstick().ready(())() > 0; "
        "print([name for name in sys.modules if name.startswith(('transformers', 'tunescale_core.decoding.decoder'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
