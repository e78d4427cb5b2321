"""Memory of training, time a token, cache and store of each variant, from shapes alone.

Training holds weights, gradients and Adam's two moments: 16 bytes a trained weight in fp32, as TuneScale trains; a
LoRA holds its base besides, 4 bytes a weight, or half a byte of each linear weight in 4 bits. To this comes what a step
keeps for its backward pass, under the plan that the device's memory allows (`training/plan.py`). Decoding one token at
batch 1 reads all weights and the cache once, so bandwidth bounds it from below (Pope et al., 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tunescale_core.estimate.activations import footprint_of
from tunescale_core.estimate.shapes import Shape
from tunescale_core.study.grid import Variant, variants
from tunescale_core.study.method import Method
from tunescale_core.study.study import Study
from tunescale_core.training.plan import Plan, plans

GB = 1e9
AUTOCAST = 2
"""Bytes a number in the forward pass of training on a card, whatever answers are made in."""
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
    """None for an untuned model, and for an adapter that is no LoRA."""
    fits: bool | None
    """Whether training fits the device; None for an untuned model."""
    plan: str | None
    """How a step would be cut, rows at once × times."""
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
    known = settings is not None and settings.adapter in {None, "LORA"}
    plan = plan_of(shape, settings, variant.rank, device.memory, AUTOCAST) if settings and known else None
    training = training_bytes(shape, settings, variant.rank, AUTOCAST, plan) if settings and plan else None
    cache = shape.cache_per_token(width)
    weights, kept = shape.parameters * width, cache * (prompt + study.protocol.max_new_tokens)
    middle = shape.read_per_token * width + cache * (prompt + study.protocol.max_new_tokens / 2)
    return Estimate(
        variant=variant.id,
        parameters=shape.parameters + adapter,
        trainable=trainable,
        training_bytes=training,
        fits=None if training is None else training <= device.memory,
        plan=plan.short if plan else None,
        seconds_per_token=max(device.overhead, middle / device.bandwidth),
        cache_per_token=cache,
        serving_bytes=weights + kept,
        store_bytes=(shape.parameters * shape.stored + 4 * adapter) if settings else 0,
    )


def plan_of(shape: Shape, settings: Method, rank: int | None, memory: float, width: int) -> Plan:
    """Return how a step would be cut on a device with so many bytes, rows being as long as they may."""
    return next(plans(settings, footprint_of(shape, settings, rank, width), round(memory)))


def training_bytes(shape: Shape, settings: Method, rank: int | None, width: int, plan: Plan) -> int:
    """Return the peak bytes of training.

    Args:
        shape: Of the base model.
        settings: The recipe: its length bounds the rows.
        rank: Of the LoRA; None for full tuning.
        width: Bytes a number in the forward pass.
        plan: How a step is cut.
    """
    footprint = footprint_of(shape, settings, rank, width)
    return footprint.predicted(plan.micro_batch, plan.accumulation, checkpointing=plan.activation_checkpointing)
