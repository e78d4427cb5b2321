"""What is measured before training foresees long rows, and leaves nothing behind."""

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.families import FAMILIES, make
from tunescale_core.data.examples import load_examples
from tunescale_core.models.base import resolve
from tunescale_core.models.chat import tokenizer_of
from tunescale_core.study.grid import Variant
from tunescale_core.study.loading import load
from tunescale_core.study.method import Method
from tunescale_core.study.model import Model
from tunescale_core.tasks import Example
from tunescale_core.training.footprint import PROBE_TOKENS, kept_bytes, measured_footprint
from tunescale_core.training.lesson import Lesson
from tunescale_core.training.order import Trainer
from tunescale_core.training.plan import Plan
from tunescale_core.training.tune import trainer_for

BASE = resolve(Model(source="embedded:mini-small"), Path()).folder
ROWS = load_examples(load("mini"), "squad_v2", "train").rows[:20]


def row(tokens: int) -> Example:
    return Example("1", ({"role": "user", "content": "word " * tokens},), ("x",), "x")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "gemma2", "gemma3", "bloom", "cohere2"])
def test_long_rows_are_foreseen(kind: str, tmp_path: Path) -> None:
    """Measured on a short row, what a long one keeps is within 5 %, eager attention and masks of windows included."""
    family = FAMILIES[kind]
    wide = {"sliding_window": 300} if "sliding_window" in family.sizes else {}
    base = make(replace(family, sizes=family.sizes | wide), tmp_path / "base")
    settings = Method(learning_rate=1e-3)
    rows = [row(number) for number in (40, 100, 250, 640)]

    def trainer_of(few: object) -> Trainer:
        lesson = Lesson(Variant("m", "full", "arc", 0, None, settings, "m-full"), base, few)  # type: ignore[arg-type]
        return trainer_for(lesson, Plan.literal(settings), tmp_path / "scratch")[0]

    tokenizer = tokenizer_of(base)
    footprint = measured_footprint(trainer_of, rows, tokenizer, settings, wide.get("sliding_window"))
    long = trainer_of(rows[-1:])
    batch = next(iter(long.get_train_dataloader()))
    one, two = (kept_bytes(long, {name: value.repeat(n, 1) for name, value in batch.items()}) for n in (1, 2))
    assert batch["input_ids"].numel() == footprint.longest > 600
    foreseen = footprint.longest * (footprint.kept_bytes + footprint.longest * footprint.squared_bytes)
    assert foreseen == pytest.approx(two - one, rel=0.05)
    assert (footprint.squared_bytes > 1) == (kind != "llama")


@pytest.mark.slow
def test_measuring_holds_nothing(tmp_path: Path) -> None:
    """After the row was measured its model is gone: the memory at hand is the training's."""
    settings = Method()
    probed: list[int] = []
    weights: list[weakref.ref[Any]] = []

    def make(few: object) -> Trainer:
        lesson = Lesson(Variant("m", "full", "squad_v2", 0, None, settings, "m-full"), BASE, few)  # type: ignore[arg-type]
        trainer, _ = trainer_for(lesson, Plan.literal(settings), tmp_path)
        probed.append(trainer.train_dataset.num_rows)
        weights.extend(weakref.ref(one) for one in trainer.model.parameters())
        return trainer

    footprint = measured_footprint(make, ROWS, tokenizer_of(BASE), settings)
    gc.collect()
    assert weights
    assert [one() for one in weights if one() is not None] == []
    assert probed == [1]
    assert footprint.gradient_bytes == pytest.approx(4 * 921_216, rel=0.1)
    assert footprint.moment_bytes == 2 * footprint.gradient_bytes
    assert 0 < footprint.checkpointed_bytes < footprint.kept_bytes
    assert 60 < footprint.longest < PROBE_TOKENS
