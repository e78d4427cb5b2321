"""The steps of one training: run, watched and saved; what they took comes out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunescale_core.models.device import device
from tunescale_core.progress import Progress
from tunescale_core.sensors.card import warn_if_shared
from tunescale_core.sensors.device import Sensors
from tunescale_core.store.manifest import TrainingCost
from tunescale_core.training.footprint import state_bytes
from tunescale_core.training.health import Curve
from tunescale_core.training.lesson import Lesson, masked_rows, rows_cut
from tunescale_core.training.plan import Plan
from tunescale_core.training.recipe import steps_of
from tunescale_core.training.saves import Saved, Saves, Saving, Spent, saver

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from tunescale_core.training.dropout import Rows
    from tunescale_core.training.order import Trainer


@dataclass(frozen=True)
class Attempt:
    """One try at a training."""

    plan: Plan
    saves: Saves | None = None
    saved: Saved | None = None
    """What is gone on from."""

    @property
    def spent(self) -> Spent:
        """What went into the state that is gone on from."""
        if self.saved is None:
            return Spent()
        spent = self.saved.spent
        return spent.model_copy(update={"resumed_at": (*spent.resumed_at, self.saved.step)})


def run(trainer: Trainer, rows: Rows, lesson: Lesson, attempt: Attempt, progress: Progress) -> TrainingCost:
    """Train, and return what it took, what went into a state that was gone on from included.

    Raises:
        DivergedError: Loss, gradient or weights are not finite, or the loss has exploded.
        KeyboardInterrupt: It was asked to end, and has saved its state.
    """
    from transformers.trainer_callback import PrinterCallback

    warn_if_shared(device())
    steps = steps_of(lesson.settings, len(trainer.train_dataset))  # TRL leaves out what has no token to learn
    curve = Curve(lesson.variant.id, trainer.model.config.get_text_config().vocab_size)
    spent = attempt.spent
    trainer.remove_callback(PrinterCallback)
    trainer._total_train_tokens = spent.tokens  # noqa: SLF001  it counts those of its own process alone
    if attempt.saved:
        progress.say(f"training {lesson.variant.id} goes on from step {attempt.saved.step} of {steps}, saved before")
    with progress.bar(f"training {lesson.variant.id}", steps) as bar, Sensors(device()) as sensors:
        bar.update(attempt.saved.step if attempt.saved else 0)
        trainer.add_callback(_stepper(bar, rows, curve))
        saving = _saving(trainer, attempt, spent, sensors, progress)
        began = time.perf_counter()
        trainer.train(resume_from_checkpoint=_resumed(attempt))
        seconds = time.perf_counter() - began - (saving.took if saving else 0)
    history = trainer.state.log_history
    parameters = list(trainer.model.parameters())
    curve.check_finite(p for p in parameters if p.requires_grad)
    return TrainingCost(
        seconds=spent.seconds + seconds,
        tokens=trainer._total_train_tokens,  # noqa: SLF001
        steps=trainer.state.global_step,
        peak_memory_bytes=max(filter(None, (spent.peak_memory_bytes, sensors.readings.memory_bytes)), default=None),
        readings=sensors.readings,
        trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        parameters=sum(p.numel() for p in parameters),
        losses=tuple((entry["step"], float(entry["loss"])) for entry in history if "loss" in entry),
        plan=attempt.plan.model_dump(mode="json"),
        rows=len(lesson.examples),
        rows_cut=rows_cut(lesson),
        rows_masked=sum(masked_rows(lesson)),
        flags=curve.flags(),
        resumed_at=spent.resumed_at,
    )


def _saving(trainer: Trainer, attempt: Attempt, spent: Spent, sensors: Sensors, progress: Progress) -> Saving | None:
    """Have a trainer save its state at the interval and when it is asked to end, where it has a place for it."""
    saves = attempt.saves
    if saves is None:
        return None
    if saves.stopping is not None:
        saves.stopping.hold()

    def peak() -> int | None:
        return max(filter(None, (spent.peak_memory_bytes, sensors.peak())), default=None)

    def tokens() -> int:
        return int(trainer._total_train_tokens)  # noqa: SLF001

    saving = Saving(saves, attempt.plan, spent, tokens, state_bytes(trainer))
    trainer.add_callback(saver(saving, peak, lambda: saves.asked_to_end, progress.say))
    return saving


def _resumed(attempt: Attempt) -> str | None:
    return str(attempt.saves.path(attempt.saved.step)) if attempt.saves and attempt.saved else None


def _stepper(bar: Any, rows: Rows, curve: Curve) -> TrainerCallback:
    from transformers import TrainerCallback

    class Stepper(TrainerCallback):  # type: ignore[misc]
        """Counts steps on a bar, and tells them to what depends on them."""

        def on_train_begin(self, _: object, state: Any, *__: object, **___: object) -> None:
            """Take in the curve that is gone on from: where a loss began does not depend on a kill."""
            for entry in state.log_history:
                curve.log(entry["step"], entry)

        def on_step_begin(self, _: object, state: Any, *__: object, **___: object) -> None:
            """Tell the step to dropout."""
            rows.step = state.global_step

        def on_step_end(self, *_: object, **__: object) -> None:
            """Count one."""
            bar.update()

        def on_log(self, _: object, state: Any, __: object, logs: dict[str, float], **___: object) -> None:
            """Hold the loss to what a loss should be."""
            curve.log(state.global_step, logs)

    return Stepper()
