"""Supervised fine-tuning through TRL's SFTTrainer and PEFT: examples in, a model folder and its cost out."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tunescale_core.errors import DivergedError, TrainingError
from tunescale_core.exhausted import exhausted, out_of_memory
from tunescale_core.models.architecture import config_of, freeze_towers
from tunescale_core.models.device import device
from tunescale_core.models.opened import load_weights
from tunescale_core.models.quantised import quantisation
from tunescale_core.models.release import release
from tunescale_core.models.turn import taught_amiss
from tunescale_core.progress import Progress
from tunescale_core.store.manifest import TrainingCost
from tunescale_core.training.adapting import adapter_for, fitting
from tunescale_core.training.footprint import measured_footprint
from tunescale_core.training.health import IDLE_ADAPTER, SAME_WEIGHTS, idle, same_weights, snapshot
from tunescale_core.training.lesson import Lesson, check_learnable, masked_rows
from tunescale_core.training.plan import Footprint, Plan, memory_at_hand, plans
from tunescale_core.training.recipe import autocast, conversations, sft_config
from tunescale_core.training.running import Attempt, run
from tunescale_core.training.saves import Saved, Saves
from tunescale_core.training.tuned import ends_alone, save_tuned

if TYPE_CHECKING:
    from tunescale_core.training.dropout import Rows
    from tunescale_core.training.order import Trainer


def tune(
    lesson: Lesson,
    target: Path,
    progress: Progress,
    training: Literal["planned", "literal"],
    saves: Saves | None = None,
) -> TrainingCost:
    """Fine-tune a base model as a variant says.

    Args:
        lesson: What is learnt.
        target: Folder that receives `model/` and, for an adapter, `adapter/`.
        progress: Told of every step.
        training: Whether a step is cut by plan or as the recipe is written.
        saves: Where the state is saved meanwhile; what an earlier training saved there is gone on from.

    Raises:
        StoreError: A damaged state cannot be set aside.
        TrainingError: The memory at hand holds not even the smallest plan; or there is nothing to train, or nothing
            to learn.
        ResourceError: What was learnt cannot be merged or written for want of memory or disk.
        DivergedError: Loss, gradient or weights are not finite, or the loss has exploded.
        KeyboardInterrupt: It was asked to end, and has saved its state.
    """
    check_learnable(lesson)
    fell_back: list[str] = []
    for plan, saved in _attempts(lesson, training, saves):
        fell_back = [*plan.fell_back] or fell_back
        try:
            attempt = Attempt(plan.model_copy(update={"fell_back": tuple(fell_back)}), saves, saved)
            cost = _tuned(lesson, attempt, target, progress)
        except DivergedError:
            if saves is not None:  # what is saved of it diverges too, or is what a flaw of the machine made of it
                saves.clear()
            raise
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or (saves is not None and saves.asked_to_end):
                raise
            fell_back.append(plan.short)
        else:
            return cost
        finally:
            release()
    raise TrainingError(
        f"training {lesson.variant.id} ran out of memory at {', then at '.join(fell_back)}: "
        "use a shorter max_length, a smaller batch, an adapter of lower rank, or a larger device"
    )


def trainer_for(lesson: Lesson, plan: Plan, scratch: Path) -> tuple[Trainer, Rows]:
    """Return TRL's trainer for a lesson, and what must be told the step; seeds are set for it.

    Raises:
        TrainingError: No weight would be trained.
    """
    import datasets
    import torch
    from transformers import set_seed

    from tunescale_core.training.dropout import by_row
    from tunescale_core.training.order import Trainer

    settings, variant = lesson.settings, lesson.variant
    set_seed(variant.seed or 0)
    # fp32 master weights: at small learning rates pure bfloat16 loses most updates to rounding.
    compute = torch.bfloat16 if autocast() else torch.float32
    model = load_weights(lesson.base, torch.float32, quantisation(settings.quantize, compute))
    freeze_towers(model)
    model.generation_config = ends_alone(model.generation_config)
    takes_count = any(one.kind == one.VAR_KEYWORD for one in inspect.signature(model.forward).parameters.values())
    adapter = adapter_for(variant, model)
    datasets.disable_progress_bars()
    with fitting(variant, model):
        trainer = Trainer(
            model=model,
            args=sft_config(settings, variant.seed or 0, len(lesson.examples), scratch, plan),
            train_dataset=datasets.Dataset.from_list(conversations(lesson.examples, settings.loss)),
            processing_class=lesson.tokenizer,
            peft_config=adapter,
        )
    if not any(parameter.requires_grad for parameter in trainer.model.parameters()):
        raise TrainingError(f"{variant.id} has no weight to train: see its method's target_modules and peft settings")
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # TRL makes a 4-bit base's adapter bfloat16
    if takes_count:
        # Some classes say that their loss knows no number of tokens in the step, and pass it on all the same. Without
        # it the step is a mean of its micro-batches' means, and another step by another plan.
        trainer.model_accepts_loss_kwargs = True
    trainer.sorted_within = settings.batch * settings.accumulation if plan.padding == "sorted" else None
    return trainer, by_row(trainer.model)


def _attempts(lesson: Lesson, training: str, saves: Saves | None) -> Iterator[tuple[Plan, Saved | None]]:
    """Yield plans to try: first that of a state which was saved, then from the start."""
    saved = saves.last() if saves else None
    if saved is not None:
        yield saved.plan, saved
    for plan in choices(lesson, training):
        if saves is not None:
            saves.clear()  # what another plan has saved did not fit
        yield plan, None


def choices(lesson: Lesson, training: str) -> Iterator[Plan]:
    """Yield how a step may be cut, the best first."""
    if training == "literal":
        yield Plan.literal(lesson.settings)
        return
    try:
        footprint = _footprint(lesson)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        footprint = None
    release()
    if footprint is None:  # not even one short row fits as it is
        yield Plan.smallest(lesson.settings)
    else:
        yield from plans(lesson.settings, footprint, memory_at_hand(device()))


def _footprint(lesson: Lesson) -> Footprint:
    settings = lesson.settings
    with tempfile.TemporaryDirectory() as scratch:
        return measured_footprint(
            lambda few: trainer_for(Lesson(lesson.variant, lesson.base, few), Plan.literal(settings), Path(scratch))[0],
            [one for one, masked in zip(lesson.examples, masked_rows(lesson), strict=True) if not masked],
            lesson.tokenizer,
            settings,
            getattr(config_of(lesson.base).get_text_config(), "sliding_window", None),
        )


def _tuned(lesson: Lesson, attempt: Attempt, target: Path, progress: Progress) -> TrainingCost:
    cost = _trained(lesson, attempt, target, progress)
    if IDLE_ADAPTER in cost.flags:
        return cost
    release()  # what is read back is read after the trainer has gone, or memory for it may be wanting
    with _no_smaller_plan(lesson, target):
        same = same_weights(target / "model", lesson.base)
    return cost.model_copy(update={"flags": (*cost.flags, SAME_WEIGHTS)}) if same else cost


def _trained(lesson: Lesson, attempt: Attempt, target: Path, progress: Progress) -> TrainingCost:
    with tempfile.TemporaryDirectory() as scratch:
        trainer, rows = trainer_for(lesson, attempt.plan, attempt.saves.folder if attempt.saves else Path(scratch))
        before = snapshot(trainer.model) if lesson.settings.adapter is not None else None
        cost = run(trainer, rows, lesson, attempt, progress)
        flags = [
            *cost.flags,
            *taught_amiss(lesson.tokenizer),
            *([IDLE_ADAPTER] if before is not None and idle(trainer.model, before) else []),
        ]
        with _no_smaller_plan(lesson, target):
            save_tuned(trainer, lesson, target)
    return cost.model_copy(update={"flags": tuple(flags)})


@contextmanager
def _no_smaller_plan(lesson: Lesson, target: Path) -> Iterator[None]:
    """Turn memory that runs out inside the block into an error that no smaller plan is tried for: none would help."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise exhausted(error, f"what {lesson.variant.id} has learnt", target) or error from error
