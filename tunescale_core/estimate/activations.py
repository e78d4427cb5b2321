"""What a training step keeps for its backward pass, from a model's shape.

Counted, not derived: PyTorch's saved-tensor hooks over Qwen3 models of eight shapes give bytes a token and layer that
are linear in the widths, without a rest (a test counts again). Under bfloat16 autocast half of what is kept is half as
wide, and a bfloat16 copy of each linear weight is kept too.
"""

from __future__ import annotations

from dataclasses import dataclass

from tunescale_core.estimate.shapes import Shape
from tunescale_core.study.method import Method
from tunescale_core.training.footprint import GRADIENT_BYTES, MOMENT_BYTES, head_bytes
from tunescale_core.training.plan import Footprint

WEIGHT_BYTES = 4
"""A weight in training: fp32."""
QUANTISED_BYTES = 0.52
"""A linear weight in 4 bits, with its part of the blocks' scales (Dettmers et al., 2023, sec. 3)."""


@dataclass(frozen=True)
class Kept:
    """Bytes a token and layer keep, a unit of each width."""

    hidden: int
    wide: int
    """Of all query heads together."""
    narrow: int
    """Of all key heads together."""
    feed_forward: int

    def bytes(self, shape: Shape, rank: int, modules: int, width: int) -> float:
        """Return the bytes of one layer and token; an adapter keeps its inner activations a module too."""
        attention = self.wide * shape.heads * shape.head + self.narrow * shape.kv_heads * shape.head
        norms = 8 * shape.heads + 4 * shape.kv_heads + 8
        inner = width * rank * modules
        return float(self.hidden * shape.hidden + attention + self.feed_forward * shape.feed_forward + norms + inner)


FULL = {4: Kept(24, 16, 16, 16), 2: Kept(26, 10, 10, 8)}
ON_ATTENTION = {4: Kept(32, 20, 12, 12), 2: Kept(26, 14, 8, 6)}
ON_ALL = {4: Kept(48, 20, 12, 20), 2: Kept(38, 14, 8, 12)}
"""By bytes a number: fp32, and bfloat16 autocast."""


def footprint_of(shape: Shape, settings: Method, rank: int | None, width: int) -> Footprint:
    """Return what training takes, at rows of `max_length` tokens.

    Args:
        shape: Of the model.
        settings: The recipe.
        rank: Of its LoRA; None for full tuning.
        width: Bytes a number in the forward pass: 4, or 2 under autocast.
    """
    trained = shape.adapter(settings, rank) if rank else shape.parameters
    modules = shape.adapted(settings) if rank else ()
    table = FULL if not rank else ON_ATTENTION if not set(modules) & set(shape.feed_forward_modules) else ON_ALL
    kept = table[width].bytes(shape, rank or 0, len(modules), width)
    if settings.peft.get("use_dora"):  # what the layer and its adapter give, each before it is scaled
        kept += 2 * width * sum(shape.modules[name][1] for name in modules)
    return Footprint(
        weight_bytes=round(held_bytes(shape, settings, rank, width)),
        gradient_bytes=GRADIENT_BYTES * trained,
        moment_bytes=MOMENT_BYTES * trained,
        kept_bytes=shape.layers * kept,
        checkpointed_bytes=4 * shape.hidden * shape.layers + kept,
        head_bytes=head_bytes(shape.vocabulary, "cuda" if width == 2 else "cpu"),
        embedding_bytes=0 if rank else GRADIENT_BYTES * shape.vocabulary * shape.hidden,
        longest=settings.max_length,
    )


def held_bytes(shape: Shape, settings: Method, rank: int | None, width: int) -> float:
    """Return the bytes of weights in training: the base's, the adapter's, and the copies that autocast keeps."""
    linear = shape.layers * sum(inputs * outputs for inputs, outputs in shape.modules.values())
    saved = (WEIGHT_BYTES - QUANTISED_BYTES) * linear if settings.quantize else 0
    adapter = shape.adapter(settings, rank) if rank else 0
    return WEIGHT_BYTES * (shape.parameters + adapter) - saved + cast_bytes(shape, width)


def cast_bytes(shape: Shape, width: int) -> int:
    """Return the bytes of the linear weights' copies that autocast keeps through a step; 0 in fp32."""
    return 0 if width == 4 else width * shape.layers * sum(a * b for a, b in shape.modules.values())
