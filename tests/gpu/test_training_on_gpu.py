"""Training on a card: the same curve however a step is cut, and memory that runs out for real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import torch

from tunescale_core.data.examples import load_examples
from tunescale_core.errors import TrainingError
from tunescale_core.models.base import resolve
from tunescale_core.models.release import release
from tunescale_core.progress import Progress
from tunescale_core.study.grid import Variant
from tunescale_core.study.loading import load
from tunescale_core.study.method import Method
from tunescale_core.study.model import Model
from tunescale_core.training import recipe, running
from tunescale_core.training import tune as tuning
from tunescale_core.training.lesson import Lesson
from tunescale_core.training.plan import Plan
from tunescale_core.training.running import Attempt
from tunescale_core.training.tune import trainer_for, tune

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")]

BASE = resolve(Model(source="embedded:mini-small"), Path()).folder
ROWS = load_examples(load("mini"), "squad_v2", "train").rows[:20]
FULL = Method(learning_rate=1e-3)
LORA = Method(ranks=(4,), learning_rate=1e-2, target_modules="all-linear")
EVERYTHING = 1 << 50
"""Bytes that no card has: a planner told so cuts nothing."""


def lesson(settings: Method) -> Lesson:
    rank = settings.ranks[0] if settings.ranks else None
    variant = Variant("mini-small", "method", "squad_v2", 0, rank, settings, "mini-small-method-on-squad_v2")
    return Lesson(variant, BASE, ROWS)


def curve(settings: Method, plan: Plan, scratch: Path) -> list[float]:
    trainer, rows = trainer_for(lesson(settings), plan, scratch)
    return [loss for _, loss in running.run(trainer, rows, lesson(settings), Attempt(plan), Progress()).losses]


@pytest.fixture
def confined() -> Iterator[None]:
    """Give the process the whole card back afterwards."""
    release()
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    release()


@pytest.mark.parametrize("settings", [FULL, LORA], ids=["full", "lora"])
def test_in_fp32_plans_learn_the_literal_curve(settings: Method, tmp_path: Path) -> None:
    """In fp32 each step's loss is the literal loop's to 1e-4, dropout and checkpointing included."""
    with mock.patch.object(recipe, "autocast", return_value=False):
        literal = curve(settings, Plan.literal(settings), tmp_path)
        for micro, off in ((8, False), (4, True), (1, True)):
            padding = "none" if micro == 1 else "longest" if micro == 8 else "sorted"
            plan = Plan(
                training="planned", micro_batch=micro, accumulation=8 // micro, activation_checkpointing=off,
                padding=padding,
            )  # fmt: skip
            assert curve(settings, plan, tmp_path) == pytest.approx(literal, abs=1e-4), plan.short


def test_training_says_what_it_used(tmp_path: Path) -> None:
    """A run's cost has the allocator's peak, within what it held and what the card has."""
    cost = tune(lesson(FULL), tmp_path, Progress(), "planned")
    total = torch.cuda.get_device_properties(0).total_memory
    assert cost.readings is not None
    assert cost.readings.memory_bytes is not None
    assert cost.readings.reserved_bytes is not None
    assert 16 * cost.parameters < cost.readings.memory_bytes <= cost.readings.reserved_bytes < total


@pytest.mark.usefixtures("confined")
def test_a_full_card_gets_a_smaller_plan(tmp_path: Path) -> None:
    """Where memory runs out in the midst of training, it starts again with smaller plans, and says which ran out."""
    with mock.patch.object(tuning, "memory_at_hand", return_value=EVERYTHING):
        whole = tune(lesson(FULL), tmp_path / "whole", Progress(), "planned")
        assert whole.plan is not None
        assert whole.plan["fell_back"] == []
        assert whole.readings is not None
        peak = whole.readings.reserved_bytes or 0
        release()
        torch.cuda.set_per_process_memory_fraction(0.7 * peak / torch.cuda.get_device_properties(0).total_memory)
        less = tune(lesson(FULL), tmp_path / "less", Progress(), "planned")
    assert less.plan is not None
    assert less.plan["fell_back"][0] == Plan.model_validate(whole.plan).short
    assert less.plan["micro_batch"] < whole.plan["micro_batch"] or less.plan["activation_checkpointing"]
    assert (tmp_path / "less" / "model" / "model.safetensors").is_file()


@pytest.mark.usefixtures("confined")
def test_a_card_too_small_is_told_in_one_line(tmp_path: Path) -> None:
    """Where not even the smallest plan fits, the error names the variant, what was tried and what to change."""
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((4 << 20) / total)
    with pytest.raises(TrainingError, match=r"^training mini-small-method-on-squad_v2 ran out of memory at .*: use a"):
        tune(lesson(FULL), tmp_path, Progress(), "planned")
    assert not list(tmp_path.glob("model/*"))
