"""Which split an embedded example belongs to: decided by what it says, so that splits cannot overlap.

A generator draws from a seed; an example it draws is kept only where the hash of its content falls
into the split asked for. Pretraining and tuning draw from "train" alone, choices about the recipe are
made on "dev", and "test" is what the studies evaluate.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

Split = Literal["train", "dev", "test"]
SHARES: tuple[Split, ...] = ("test", "dev", "train", "train", "train", "train", "train", "train", "train", "train")
"""Tenths of the content space: one for test, one for dev, eight for train."""

Example = TypeVar("Example")


def split_of(content: str) -> Split:
    """Return the split that an example with this canonical content belongs to."""
    return SHARES[int(hashlib.sha256(content.encode()).hexdigest(), 16) % len(SHARES)]


def drawn(
    draw: Callable[[random.Random], Example],
    content: Callable[[Example], str],
    split: Split,
    seed: int,
) -> Iterator[Example]:
    """Yield examples of one split without end, in an order fixed by `split` and `seed`."""
    rng = random.Random(f"{split}:{seed}")
    while True:
        example = draw(rng)
        if split_of(content(example)) == split:
            yield example
