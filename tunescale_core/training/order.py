"""TRL's trainer, which may take the rows of one step by length: their order within it changes no gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import transformers
from torch.utils.data import Sampler
from trl import SFTTrainer


class SortedWithin(Sampler[int]):
    """Another sampler's rows, each run of `window` of them by falling length."""

    def __init__(self, inner: Sampler[int], window: int, lengths: list[int]) -> None:
        self.inner, self.window, self.lengths = inner, window, lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        order = list(self.inner)
        for start in range(0, len(order), self.window):
            yield from sorted(order[start : start + self.window], key=lambda row: (-self.lengths[row], row))

    def set_epoch(self, epoch: int) -> None:
        """Let the other sampler draw another epoch's order."""
        if hasattr(self.inner, "set_epoch"):
            self.inner.set_epoch(epoch)


class Trainer(SFTTrainer):  # type: ignore[misc]
    """An SFTTrainer whose steps hold the same rows in the same order as ever, sorted within a step where asked."""

    sorted_within: int | None = None
    """Rows of an effective batch, where they are to be sorted."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        inner = super()._get_train_sampler(train_dataset)
        if self.sorted_within is None:
            return inner
        from accelerate.data_loader import SeedableRandomSampler

        dataset = self.train_dataset if train_dataset is None else train_dataset
        # What Accelerate would put in the plain sampler's place, so that a seed means the same order.
        seeded = SeedableRandomSampler(data_source=dataset, data_seed=self.args.data_seed)
        return SortedWithin(seeded, self.sorted_within, [len(ids) for ids in dataset["input_ids"]])

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save the state without the model card that TRL writes beside it."""
        transformers.Trainer._save_checkpoint(self, model, trial)  # noqa: SLF001
