"""What is measured before training leaves nothing behind."""

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from tunescale_core.data.examples import load_examples
from tunescale_core.models.base import resolve
from tunescale_core.models.chat import tokenizer_of
from tunescale_core.study.grid import Variant
from tunescale_core.study.loading import load
from tunescale_core.study.method import Method
from tunescale_core.study.model import Model
from tunescale_core.training.footprint import PROBE_TOKENS, measured_footprint
from tunescale_core.training.lesson import Lesson
from tunescale_core.training.order import Trainer
from tunescale_core.training.plan import Plan
from tunescale_core.training.tune import trainer_for

BASE = resolve(Model(source="embedded:mini-small"), Path()).folder
ROWS = load_examples(load("mini"), "squad_v2", "train").rows[:20]


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
