"""A study's method as TRL and PEFT know it: rows, `SFTConfig` and the adapter's configuration."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunescale_core.errors import StudyError, first_line
from tunescale_core.models.device import device
from tunescale_core.models.quantised import check_installed
from tunescale_core.study.grid import Variant
from tunescale_core.study.method import Method
from tunescale_core.study.study import Study
from tunescale_core.tasks import Example
from tunescale_core.training.plan import Plan

if TYPE_CHECKING:
    from peft import PeftConfig
    from trl import SFTConfig

LORA, SCALES, NORMS = "LORA", "IA3", "LN_TUNING"
"""PEFT's names of adapters that take settings of their own."""
LOGS = 20
"""Points on a loss curve, at most."""


def conversations(examples: Sequence[Example], loss: str) -> list[dict[str, Any]]:
    """Return the rows TRL trains on: whole conversations, or prompt and completion apart.

    TRL learns every token of a `messages` row and the completion alone of a `prompt`/`completion` row.
    """
    rows: list[dict[str, Any]] = []
    for example in examples:
        *prompt, said = example.conversation
        rows.append({"messages": [*prompt, said]} if loss == "all" else {"prompt": prompt, "completion": [said]})
    return rows


def steps_of(settings: Method, rows: int) -> int:
    """Return the number of optimiser steps that TRL will take."""
    batches = math.ceil(rows / settings.batch)
    return max(1, math.ceil(settings.epochs * max(1, math.ceil(batches / settings.accumulation))))


def autocast() -> bool:
    """Whether training computes in bfloat16 beside fp32 weights: on a GPU."""
    return device() == "cuda"


def sft_config(settings: Method, seed: int, rows: int, scratch: Path, plan: Plan | None = None) -> SFTConfig:
    """Return TRL's configuration for a recipe, taken literally unless a plan says how much is done at once.

    What is not named here is TRL's default: AdamW (betas 0.9 and 0.999, epsilon 1e-8) among it.
    """
    from trl import SFTConfig

    plan = plan or Plan.literal(settings)
    config = SFTConfig(
        output_dir=str(scratch),
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=plan.micro_batch,
        gradient_accumulation_steps=plan.accumulation,
        warmup_steps=settings.warmup,
        lr_scheduler_type=settings.schedule,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        max_length=settings.max_length,
        packing=False,
        assistant_only_loss=False,
        activation_checkpointing=plan.activation_checkpointing,
        router_aux_loss_coef=0.0,  # its value depends on how a step is cut
        bf16=autocast(),
        fp16=False,
        seed=seed,
        data_seed=seed,
        save_strategy="no",
        report_to="none",
        logging_steps=max(1, steps_of(settings, rows) // LOGS),
        logging_nan_inf_filter=False,  # which would log the mean of earlier losses where one is not finite
        disable_tqdm=True,
        dataloader_pin_memory=device() == "cuda",
    )
    if config.n_gpu > 1:  # one process trains on one card: TRL refuses to spread a step over several by threads
        config._n_gpu = 1  # noqa: SLF001  there is no setting of it
    return config


def adapter_config(variant: Variant) -> PeftConfig | None:
    """Return PEFT's configuration for a variant with an adapter, None for full fine-tuning.

    Raises:
        StudyError: PEFT knows no such adapter, or the adapter no such setting.
    """
    settings = variant.settings
    if settings is None or settings.adapter is None:
        return None
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING

    kinds = {kind.value: config for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items()}
    kind = settings.adapter.upper()
    if kind not in kinds:
        raise StudyError(f"method {variant.method}: PEFT has no adapter {kind!r}; it has {', '.join(sorted(kinds))}")
    known = {field.name for field in dataclasses.fields(kinds[kind]) if field.init}
    values = _adapter_values(variant, kind)
    unknown = [name for name in values if name not in known]
    if unknown:
        raise StudyError(f"method {variant.method}: PEFT's {kind} has no setting {unknown[0]!r}")
    try:
        return kinds[kind](**values)
    except (TypeError, ValueError, ImportError) as error:
        raise StudyError(f"method {variant.method}: PEFT's {kind} refuses: {first_line(error)}") from error


def _adapter_values(variant: Variant, kind: str) -> dict[str, Any]:
    settings = variant.settings or Method()
    modules = settings.target_modules
    values: dict[str, Any] = {"task_type": "CAUSAL_LM"}
    if kind != NORMS or "target_modules" in settings.model_fields_set:  # attention is no layer norm
        values["target_modules"] = modules if isinstance(modules, str) else list(modules)
    if kind == SCALES:
        values["feedforward_modules"] = []  # PEFT's own are among no others' targets
    if variant.rank is not None:
        values["r"] = variant.rank
    if kind == LORA:
        values |= {"lora_alpha": settings.alpha, "lora_dropout": settings.dropout}
    return values | {name: value for name, value in settings.peft.items() if name != "type"}


def check_methods(study: Study) -> None:
    """Ask PEFT whether it can make every adapter of a study, before anything is trained.

    Raises:
        StudyError: One line that names the method.
        ModelError: Weights cannot be held in few bits here.
    """
    from tunescale_core.study.grid import variants

    for variant in variants(study):
        adapter_config(variant)
        if variant.settings is not None and variant.settings.quantize is not None:
            check_installed(variant.settings.quantize)
