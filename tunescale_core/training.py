"""Supervised fine-tuning through TRL's SFTTrainer, LoRA through PEFT: examples in, a model folder and its cost out."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunescale_core.checkpoints import TrainingCost
from tunescale_core.grid import Variant
from tunescale_core.models import copy_generation_files, device, load_weights, tokenizer_of
from tunescale_core.progress import Progress
from tunescale_core.sensors import Sensors
from tunescale_core.study import Method
from tunescale_core.tasks import Example

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

LOGS = 20
"""Points on a loss curve, at most."""


def tune(variant: Variant, base: Path, examples: Sequence[Example], target: Path, progress: Progress) -> TrainingCost:
    """Fine-tune a base model as a variant says.

    Args:
        variant: Tuned; its settings and seed are used.
        base: Folder of the base model.
        examples: In order; their targets are learnt.
        target: Folder that receives `model/` and, for LoRA, `adapter/`.
        progress: Told of every step.
    """
    import torch
    from transformers import set_seed

    if variant.settings is None or variant.seed is None:
        raise ValueError(f"{variant.id} is untuned: there is nothing to train")
    set_seed(variant.seed)
    # fp32 master weights: at small learning rates pure bfloat16 loses most updates to rounding.
    model = load_weights(base, torch.float32)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = trainer_for(variant, model, base, examples, Path(scratch))
        cost = _run(trainer, variant, len(examples), progress)
        _save(trainer, variant, base, target)
    return cost


def trainer_for(variant: Variant, model: Any, base: Path, examples: Sequence[Example], scratch: Path) -> SFTTrainer:
    """Return TRL's trainer for a variant."""
    import datasets
    from trl import SFTTrainer

    settings = variant.settings or Method()
    datasets.disable_progress_bars()
    return SFTTrainer(
        model=model,
        args=sft_config(settings, variant.seed or 0, len(examples), scratch),
        train_dataset=datasets.Dataset.from_list(conversations(examples, settings.loss)),
        processing_class=tokenizer_of(base),
        peft_config=lora_config(variant),
    )


def conversations(examples: Sequence[Example], loss: str) -> list[dict[str, Any]]:
    """Return the rows TRL trains on: whole conversations, or prompt and completion apart.

    TRL learns every token of a `messages` row and the completion alone of a `prompt`/`completion` row.
    """
    rows: list[dict[str, Any]] = []
    for example in examples:
        prompt, said = list(example.messages), [{"role": "assistant", "content": example.target}]
        rows.append({"messages": prompt + said} if loss == "all" else {"prompt": prompt, "completion": said})
    return rows


def steps_of(settings: Method, rows: int) -> int:
    """Return the number of optimiser steps that TRL will take."""
    batches = math.ceil(rows / settings.batch)
    return max(1, math.ceil(settings.epochs * max(1, math.ceil(batches / settings.accumulation))))


def sft_config(settings: Method, seed: int, rows: int, scratch: Path) -> SFTConfig:
    """Return TRL's configuration for a recipe; what is not named here is TRL's default."""
    from trl import SFTConfig

    return SFTConfig(
        output_dir=str(scratch),
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch,
        gradient_accumulation_steps=settings.accumulation,
        warmup_steps=settings.warmup,
        lr_scheduler_type=settings.schedule,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        max_length=settings.max_length,
        packing=False,
        assistant_only_loss=False,
        activation_checkpointing=settings.activation_checkpointing,
        bf16=device() == "cuda",
        fp16=False,
        seed=seed,
        data_seed=seed,
        save_strategy="no",
        report_to="none",
        logging_steps=max(1, steps_of(settings, rows) // LOGS),
        disable_tqdm=True,
        dataloader_pin_memory=device() == "cuda",
    )


def lora_config(variant: Variant) -> LoraConfig | None:
    """Return PEFT's configuration for a LoRA variant, None for full fine-tuning."""
    if variant.rank is None or variant.settings is None:
        return None
    from peft import LoraConfig

    modules = variant.settings.target_modules
    return LoraConfig(
        r=variant.rank,
        lora_alpha=variant.settings.alpha,
        lora_dropout=variant.settings.dropout,
        target_modules=modules if isinstance(modules, str) else list(modules),
        task_type="CAUSAL_LM",
    )


def _run(trainer: SFTTrainer, variant: Variant, rows: int, progress: Progress) -> TrainingCost:
    from transformers.trainer_callback import PrinterCallback

    steps = steps_of(variant.settings or Method(), rows)
    trainer.remove_callback(PrinterCallback)
    with progress.bar(f"training {variant.id}", steps) as bar, Sensors(device()) as sensors:
        trainer.add_callback(_stepper(bar))
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
    history = trainer.state.log_history
    parameters = list(trainer.model.parameters())
    return TrainingCost(
        seconds=seconds,
        tokens=int(max((entry.get("num_tokens", 0) for entry in history), default=0)),
        steps=trainer.state.global_step,
        peak_memory_bytes=sensors.readings.memory_bytes,
        trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        parameters=sum(p.numel() for p in parameters),
        losses=tuple((entry["step"], float(entry["loss"])) for entry in history if "loss" in entry),
    )


def _stepper(bar: Any) -> TrainerCallback:
    from transformers import TrainerCallback

    class Stepper(TrainerCallback):  # type: ignore[misc]
        """Counts steps on a bar."""

        def on_step_end(self, *_: object, **__: object) -> None:
            """Count one."""
            bar.update()

    return Stepper()


def _save(trainer: SFTTrainer, variant: Variant, base: Path, target: Path) -> None:
    """Write the model, merged if it was LoRA, in the base's own type, and the adapter beside it."""
    from transformers import AutoConfig

    model = trainer.accelerator.unwrap_model(trainer.model)
    if variant.rank is not None:
        model.save_pretrained(target / "adapter")
        model = model.merge_and_unload()
    # Rounding once, after the fp32 merge, is the most exact way to the base's type.
    model.to(AutoConfig.from_pretrained(base).dtype).save_pretrained(target / "model")
    copy_generation_files(base, target / "model")
    tokenizer_of(base).save_pretrained(target / "model")
