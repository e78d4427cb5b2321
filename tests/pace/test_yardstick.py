"""The yardstick: frozen work."""

from __future__ import annotations

import subprocess
import sys

import torch

from tunescale_core.pace import yardstick
from tunescale_core.pace.pace import YARDSTICK

FROZEN = [527, 110, 562, 11]
"""The tokens it writes."""


def test_the_work_is_frozen() -> None:
    """What is computed is what this number of yardstick always computed; other work needs another number."""
    layers, words, asked = yardstick.made("cpu")
    torch.manual_seed(5)
    said = yardstick.work(layers, words, asked)
    shape = (yardstick.LAYERS, yardstick.WIDTH, yardstick.HEADS, yardstick.SHARED, yardstick.INNER, yardstick.WORDS)
    assert (YARDSTICK, shape) == ("yardstick-2", (4, 128, 4, 2, 384, 1024))
    assert said.shape == (1, yardstick.ASKED + yardstick.SAID)
    assert said[0, -4:].tolist() == FROZEN


def test_the_yardstick_is_independent_of_what_it_measures() -> None:
    """It does its work in a process that never imports transformers, and no decoder of ours."""
    program = (
        "import sys; from tunescale_core.pace.yardstick import Yardstick; assert Yardstick().ready(())() > 0; "
        "print([name for name in sys.modules if name.startswith(('transformers', 'tunescale_core.decoding.decoder'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
