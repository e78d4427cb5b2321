"""Memory of training, time a token, cache and store of each variant, from shapes alone.

Training holds weights, gradients and Adam's two moments: 16 bytes a trained weight in fp32, as TuneScale trains; a LoRA
holds its base besides, 4 bytes a weight. Logits of b rows of s tokens over V words take b · s · V · 10 bytes, which
dominate what else is held when activations are recomputed. Decoding one token at batch 1 reads all weights and the
cache once, so bandwidth bounds it from below (Pope et al., 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tunescale_core.estimate.shapes import Shape
from tunescale_core.grid import Variant, variants
from tunescale_core.study import Method, Study

TRAINED_BYTES = 16
"""A trained weight: value, gradient, two moments, each in fp32."""
FROZEN_BYTES = 4
"""A weight under a LoRA: fp32."""
LOGIT_BYTES = 10
"""A logit: fp32 value and gradient, and a bfloat16 copy."""
GB = 1e9
DEVICES = {"h200": (4800 * GB, 141 * GB), "h100": (3350 * GB, 80 * GB), "a100": (2039 * GB, 80 * GB)}
DEVICES |= {"l40s": (864 * GB, 48 * GB), "l4": (300 * GB, 24 * GB), "rtx4090": (1008 * GB, 24 * GB)}
"""Bytes a second and bytes of memory, by the makers' data sheets."""


@dataclass(frozen=True)
class Device:
    """What a variant is held against."""

    bandwidth: float
    """Bytes a second."""
    memory: float
    """Bytes."""
    overhead: float = 0.0
    """Seconds that launching one token's work takes at least."""


@dataclass(frozen=True)
class Estimate:
    """What one variant will take."""

    variant: str
    parameters: int
    trainable: int
    training_bytes: float | None
    """None for an untuned model."""
    fits: bool | None
    """Whether training fits the device; None for an untuned model."""
    seconds_per_token: float
    """Of decoding at batch 1, at least."""
    cache_per_token: int
    serving_bytes: float
    """Weights and the cache of one prompt and answer."""
    store_bytes: int
    """Of its checkpoint; 0 for an untuned model."""


def estimates(study: Study, shapes: dict[str, Shape], device: Device, prompt: int = 256) -> Iterator[Estimate]:
    """Yield each variant's estimate.

    Args:
        study: As declared.
        shapes: Of each model, by its name in the study.
        device: What to hold it against.
        prompt: Tokens of a prompt, for the cache.
    """
    width = 4 if study.protocol.dtype == "float32" else 2
    for variant in variants(study):
        yield _estimate(variant, study, shapes[variant.model], device, width, prompt)


def _estimate(variant: Variant, study: Study, shape: Shape, device: Device, width: int, prompt: int) -> Estimate:  # noqa: PLR0917, PLR0913
    settings = variant.settings
    adapter = shape.adapter(settings, variant.rank) if settings and variant.rank else 0
    trainable = (adapter or shape.parameters) if settings else 0
    training = training_bytes(shape, settings, adapter) if settings else None
    cache = shape.cache_per_token(width)
    weights, kept = shape.parameters * width, cache * (prompt + study.protocol.max_new_tokens)
    middle = weights + cache * (prompt + study.protocol.max_new_tokens / 2)
    return Estimate(
        variant=variant.id,
        parameters=shape.parameters + adapter,
        trainable=trainable,
        training_bytes=training,
        fits=None if training is None else training <= device.memory,
        seconds_per_token=max(device.overhead, middle / device.bandwidth),
        cache_per_token=cache,
        serving_bytes=weights + kept,
        store_bytes=(shape.parameters * width + 4 * adapter) if settings else 0,
    )


def training_bytes(shape: Shape, settings: Method, adapter: int) -> float:
    """Return the bytes of training state and logits; activations kept for the backward pass are not in it.

    Args:
        shape: Of the base model.
        settings: The recipe: its batch and length bound the logits.
        adapter: Weights of the LoRA; 0 for full tuning.
    """
    logits = settings.batch * settings.max_length * shape.vocabulary * LOGIT_BYTES
    state = shape.parameters * FROZEN_BYTES + adapter * TRAINED_BYTES if adapter else shape.parameters * TRAINED_BYTES
    return float(state + logits)
