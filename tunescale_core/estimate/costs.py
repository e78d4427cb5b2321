"""Memory of training, time a token, cache and store of each variant, before anything is spent.

Training holds weights, gradients and Adam's two moments: 16 bytes a trained weight in fp32, as TuneScale trains; a
LoRA holds its base besides, 4 bytes a weight, or half a byte of each linear weight in 4 bits. To this comes what a step
keeps for its backward pass, under the plan that the device's memory allows (`training/plan.py`). Decoding one token at
batch 1 reads all weights and the cache once, so bandwidth bounds it from below (Pope et al., 2022).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tunescale_core.errors import ModelError
from tunescale_core.estimate.activations import QUANTISED_BYTES, footprint_of, trained_weights
from tunescale_core.estimate.sizes import Sizes
from tunescale_core.study.grid import Variant, is_served, variants
from tunescale_core.study.method import Bits, Method
from tunescale_core.study.serving import VIA
from tunescale_core.study.study import Study
from tunescale_core.training.plan import Plan, plans

GB = 1e9
HELD: Mapping[Bits, float] = {"4bit": QUANTISED_BYTES, "8bit": 1.0}
"""Bytes of a linear weight in few bits."""
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
    """None for an untuned model, and where what a step keeps cannot be counted."""
    fits: bool | None
    """Whether training fits the device; None for an untuned model."""
    plan: str | None
    """How a step would be cut, rows at once × times."""
    seconds_per_token: float
    """Of decoding at batch 1, at least."""
    cache_per_token: float
    """Bytes, over one prompt and a whole answer."""
    serving_bytes: float
    """Weights and the cache of one prompt and answer."""
    serves: bool
    """Whether they fit the device."""
    store_bytes: int
    """Of its checkpoint; 0 for an untuned model."""
    unknown: str = ""
    """Why training cannot be estimated, where it cannot."""


def estimates(study: Study, sizes: Mapping[str, Sizes], device: Device, prompt: int = 256) -> Iterator[Estimate]:
    """Yield the estimate of each variant of the models that something is known of, and of each way in few bits.

    Args:
        study: As declared.
        sizes: Of each model, by its name in the study.
        device: What to hold it against.
        prompt: Tokens of a prompt, for the cache.

    Raises:
        ModelError: A model's cache cannot be counted.
        StudyError: PEFT knows no such adapter, or the adapter no such setting.
        TrainingError: An adapter does not fit its model.
    """
    width = 4 if study.protocol.dtype == "float32" else 2
    answer = study.protocol.max_new_tokens
    for variant in variants(study):
        if variant.model not in sizes:
            continue
        known = sizes[variant.model]
        whole = _estimate(variant, known, device, width, (prompt, answer))
        yield whole
        for way, served in study.serving.items():
            if served.quantize is not None and is_served(study, variant, way):
                less = width - HELD[served.quantize]
                name = f"{variant.id}{VIA}{way}"
                yield _rounded(whole, name, known.linear * less, known.linear_read * less, device)


def _estimate(variant: Variant, sizes: Sizes, device: Device, width: int, tokens: tuple[int, int]) -> Estimate:
    settings, (prompt, answer) = variant.settings, tokens
    trainable = trained_weights(sizes, settings, variant.rank) if settings else 0
    adapter = trainable if settings and settings.adapter else 0
    plan, training, unknown = _training(sizes, settings, variant.rank, device.memory)
    weights, cached = sizes.parameters * width, sizes.cache_bytes(prompt + answer, width)
    middle = sizes.read_per_token * width + sizes.cache_bytes(prompt + answer // 2, width)
    return Estimate(
        variant=variant.id,
        parameters=sizes.parameters + adapter,
        trainable=trainable,
        training_bytes=training,
        fits=None if training is None else training <= device.memory,
        plan=plan.short if plan else None,
        seconds_per_token=max(device.overhead, middle / device.bandwidth),
        cache_per_token=cached / (prompt + answer),
        serving_bytes=weights + cached,
        serves=weights + cached <= device.memory,
        store_bytes=(sizes.parameters * sizes.stored + 4 * adapter) if settings else 0,
        unknown=unknown,
    )


def _rounded(whole: Estimate, name: str, held: float, read: float, device: Device) -> Estimate:
    """Return the estimate of a way of serving that holds and reads so many bytes less, and trains nothing."""
    kept = whole.serving_bytes - held
    return replace(
        whole,
        variant=name,
        trainable=0,
        training_bytes=None,
        fits=None,
        plan=None,
        unknown="",
        seconds_per_token=max(device.overhead, whole.seconds_per_token - read / device.bandwidth),
        serving_bytes=kept,
        serves=kept <= device.memory,
        store_bytes=0,
    )


def _training(
    sizes: Sizes, settings: Method | None, rank: int | None, memory: float
) -> tuple[Plan | None, int | None, str]:
    """Return how a step would be cut, the peak bytes then, and why neither is known where it is not."""
    if settings is None:
        return None, None, ""
    try:
        plan = plan_of(sizes, settings, rank, memory, AUTOCAST)
        return plan, training_bytes(sizes, settings, rank, AUTOCAST, plan), ""
    except ModelError as error:
        return None, None, str(error)


def plan_of(sizes: Sizes, settings: Method, rank: int | None, memory: float, width: int) -> Plan:
    """Return how a step would be cut on a device with so many bytes, rows being as long as they may.

    Raises:
        ModelError: What a step keeps cannot be counted.
    """
    return next(plans(settings, footprint_of(sizes, settings, rank, width), round(memory)))


def training_bytes(sizes: Sizes, settings: Method, rank: int | None, width: int, plan: Plan) -> int:
    """Return the peak bytes of training.

    Args:
        sizes: Of the base model.
        settings: The recipe: its length bounds the rows.
        rank: Of the LoRA.
        width: Bytes a number in the forward pass.
        plan: How a step is cut.

    Raises:
        ModelError: What a step keeps cannot be counted.
    """
    footprint = footprint_of(sizes, settings, rank, width)
    return footprint.predicted(plan.micro_batch, plan.accumulation, checkpointing=plan.activation_checkpointing)
