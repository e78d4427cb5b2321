"""What a training step holds, and keeps for its backward pass.

Of a dense decoder the latter follows from its shape: PyTorch's saved-tensor hooks over Qwen3 models of eight shapes
give bytes a token and layer that are linear in the widths, without a rest (a test counts again). Under bfloat16
autocast half of what is kept is half as wide, and a bfloat16 copy of each linear weight is kept too; of weights in few
bits there is no such copy, but their products are as wide as what goes in. Of other models it is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from tunescale_core.estimate.counted import Counted
from tunescale_core.estimate.shapes import Shape
from tunescale_core.estimate.sizes import Sizes
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
GATED_IN_FEW_BITS = 6
"""Of the feed-forward width under autocast, more than the table says: both of its products are fp32 there."""


def footprint_of(sizes: Sizes, settings: Method, rank: int | None, width: int) -> Footprint:
    """Return what training takes, at rows of `max_length` tokens.

    Args:
        sizes: Of the model.
        settings: The recipe.
        rank: Of its LoRA; None for full tuning, and for an adapter that has none.
        width: Bytes a number in the forward pass: 4, or 2 under autocast.

    Raises:
        ModelError: What a step keeps cannot be counted.
    """
    trained = trained_weights(sizes, settings, rank)
    asked = (settings, rank, width)
    cast = cast_bytes(sizes, width)  # of full weights, as they are counted
    kept, beside = sizes.kept_bytes(*asked) if isinstance(sizes, Counted) else (_kept_bytes(sizes, *asked), cast)
    return Footprint(
        weight_bytes=round(held_bytes(sizes, settings, rank, width)),
        gradient_bytes=GRADIENT_BYTES * trained,
        moment_bytes=MOMENT_BYTES * trained,
        kept_bytes=kept,
        checkpointed_bytes=4 * sizes.hidden * sizes.layers + kept / sizes.layers,
        once_bytes=max(0, beside - cast),  # which is held beside the weights
        layers=sizes.layers,
        head_bytes=head_bytes(sizes.vocabulary, "cuda" if width == 2 else "cpu"),
        embedding_bytes=0 if settings.adapter else GRADIENT_BYTES * sizes.looked_up,
        longest=settings.max_length,
    )


def trained_weights(sizes: Sizes, settings: Method, rank: int | None) -> int:
    """Return how many weights are trained: the adapter's, or all that text goes through."""
    return sizes.adapter(settings, rank) if settings.adapter else sizes.trained_in_full


def _kept_bytes(shape: Shape, settings: Method, rank: int | None, width: int) -> float:
    """Return the bytes that all layers keep a token."""
    modules = shape.adapted(settings) if rank else ()
    table = FULL if not rank else ON_ATTENTION if not set(modules) & set(shape.feed_forward_modules) else ON_ALL
    kept = table[width].bytes(shape, rank or 0, len(modules), width)
    if settings.quantize and width == 2:
        kept += GATED_IN_FEW_BITS * shape.feed_forward
    if settings.peft.get("use_dora"):  # what the layer and its adapter give, each before it is scaled
        kept += 2 * width * sum(shape.modules[name][1] for name in modules)
    return shape.layers * kept


def held_bytes(sizes: Sizes, settings: Method, rank: int | None, width: int) -> float:
    """Return the bytes of weights in training: the base's, the adapter's, and the copies that autocast keeps."""
    adapter = sizes.adapter(settings, rank) if settings.adapter else 0
    whole = WEIGHT_BYTES * (sizes.parameters + adapter)
    if settings.quantize:
        return whole - (WEIGHT_BYTES - QUANTISED_BYTES) * sizes.linear
    return whole + cast_bytes(sizes, width)


def cast_bytes(sizes: Sizes, width: int) -> int:
    """Return the bytes of the linear weights' copies that autocast keeps through a step; 0 in fp32."""
    return 0 if width == 4 else width * sizes.linear
