"""What a fine-tuning run learns, and how much of it there is to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tunescale_core.errors import TrainingError
from tunescale_core.models.chat import rendered, tokenizer_at
from tunescale_core.study.grid import Variant
from tunescale_core.study.method import Method
from tunescale_core.tasks import Example
from tunescale_core.training.footprint import tokens_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Lesson:
    """All that decides what a fine-tuning run learns."""

    variant: Variant
    base: Path
    """Folder of the base model."""
    examples: Sequence[Example]
    """In order; their targets are learnt."""

    @property
    def settings(self) -> Method:
        """The variant's recipe.

        Raises:
            ValueError: The variant is untuned.
        """
        if self.variant.settings is None or self.variant.seed is None:
            raise ValueError(f"{self.variant.id} is untuned: there is nothing to train")
        return self.variant.settings

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The base's, the same object for every training of a base, for reading alone."""
        return tokenizer_at(self.base)


def rows_cut(lesson: Lesson) -> int:
    """Return how many rows are longer than the recipe allows: TRL keeps their start, and the answer is at their end."""
    lengths = tokens_of(lesson.examples, lesson.tokenizer)
    return sum(one > lesson.settings.max_length for one in lengths)


def unanswered_rows(lesson: Lesson) -> tuple[bool, ...]:
    """Tell of each row whether its prompt alone fills `max_length`, so that nothing of its answer is left."""
    limit, tokenizer = lesson.settings.max_length, lesson.tokenizer
    prompts = [rendered(tokenizer, one.messages) for one in lesson.examples]
    lengths = [len(ids) for ids in tokenizer(prompts, add_special_tokens=False).input_ids]
    return tuple(one >= limit for one in lengths)


def masked_rows(lesson: Lesson) -> tuple[bool, ...]:
    """Tell of each row whether no token of it is learnt: without an answer left, where the answer alone is learnt."""
    return (False,) * len(lesson.examples) if lesson.settings.loss == "all" else unanswered_rows(lesson)


def check_learnable(lesson: Lesson) -> None:
    """Make sure that there is something to learn, before a model is loaded.

    Raises:
        TrainingError: Of no row a token of the answer is left.
    """
    if all(unanswered_rows(lesson)):
        raise TrainingError(
            f"{lesson.variant.id} has nothing to learn: in all {len(lesson.examples)} rows the prompt alone fills "
            f"max_length = {lesson.settings.max_length}, and of the answer nothing is left; raise max_length"
        )
