"""Paces made up for tests."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tunescale_core.pace.pace import Block, Pace
from tunescale_core.provenance import provenance

HERE = provenance("cpu").model_copy(update={"threads": 1})


def pace(logs: Sequence[float], **fields: object) -> Pace:
    """Return a pace whose blocks' log-ratios are these, each of a question of its own."""
    blocks = [
        Block(question=f"arc/{place}", seconds=0.01 * math.exp(log), reference_seconds=0.01)
        for place, log in enumerate(logs)
    ]
    return Pace.model_validate(
        {"subject": "s", "reference": "r", "tokens": 4, "blocks": blocks, "provenance": HERE, **fields}
    )


def drawn(rng: np.random.Generator, spread: float, level: float = 0.6, n: int = 10, **fields: object) -> Pace:
    """Return a pace whose blocks lie around questions' own levels, the same in every run, by so much."""
    own = np.random.default_rng(n).normal(level, 0.05, n)
    return pace(own + rng.normal(0, spread, n), **fields)
