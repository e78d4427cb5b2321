"""Training that goes wrong: what stops it, and what is flagged of a checkpoint that came of it all the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunescale_core.errors import DivergedError

if TYPE_CHECKING:
    import torch

EXPLODED = 3.0
"""Times where it began that a loss has exploded at. Recipes that learn pass a hump of a half at the end of a warm-up;
what is at three times is worse than untrained, and comes back in no schedule whose rate falls from there."""
LEAST = 1.0
"""Nats a token that a loss counts as beginning at, at least: multiples of nearly nothing are noise."""
IN_A_ROW = 3
"""Logged losses in a row that must have exploded for training to stop: one may be a batch of hard rows."""
BLIND = 0.99
"""Of what guessing blindly costs: a model that a rate far too high has wrecked says the same of every token, and its
loss stands there to four digits, below where it exploded and maybe below where it began."""
IDLE_ADAPTER = "its adapter changed nothing"
SAME_WEIGHTS = "its weights are its base's, bit for bit"


class Curve:
    """The losses that a training logs, and what follows from them."""

    def __init__(self, what: str, vocabulary: int) -> None:
        """`what` is trained; a loss begins at no more than guessing blindly among so many tokens costs."""
        self._what, self._blind = what, math.log(vocabulary)
        self._limit: float | None = None
        self._over = 0
        self._last = math.nan

    def log(self, step: int, logged: Mapping[str, float]) -> None:
        """Take what is logged after a step: the mean loss since the last time, the gradient's norm, the learning rate.

        Raises:
            DivergedError: Loss or gradient is not finite, or the loss has exploded.
        """
        if "loss" not in logged:  # a summary at the end has none
            return
        loss, rate = float(logged["loss"]), logged.get("learning_rate", math.nan)
        norm = float(logged.get("grad_norm", 0.0))
        if not math.isfinite(loss) or not math.isfinite(norm):
            what = f"the loss is {loss:.4g}" if not math.isfinite(loss) else f"the gradient's norm is {norm:.4g}"
            raise self._diverged(f"{what} at step {step}, learning rate {rate:.3g}")
        if self._limit is None:
            self._limit = EXPLODED * max(LEAST, min(loss, self._blind))
        self._last = loss
        self._over = self._over + 1 if loss > self._limit else 0
        if self._over == IN_A_ROW:
            raise self._diverged(
                f"the loss is {loss:.4g} at step {step}, learning rate {rate:.3g}, and has been "
                f"above {self._limit:.4g} ({EXPLODED:g} times where it began) for {IN_A_ROW} logged losses"
            )

    def flags(self) -> tuple[str, ...]:
        """Return what is to be said of a training that ended."""
        if self._last >= BLIND * self._blind:
            return (f"its loss ended at {self._last:.4g}, no better than guessing blindly ({self._blind:.4g})",)
        if self._limit is None or self._last <= self._limit:
            return ()
        return (f"its loss ended at {self._last:.4g}, over {EXPLODED:g} times where it began",)

    def check_finite(self, parameters: Iterable[torch.Tensor]) -> None:
        """Look at what was trained: after the last logged loss there may have been steps more.

        Raises:
            DivergedError: A weight is not finite.
        """
        import torch

        if not all(bool(torch.isfinite(one).all()) for one in parameters):
            raise self._diverged("some of its weights are not finite at the end")

    def _diverged(self, how: str) -> DivergedError:
        return DivergedError(f"training {self._what} diverged: {how}: lower learning_rate, or lengthen warmup")


def snapshot(model: Any) -> dict[str, torch.Tensor]:
    """Return copies, on the host, of the weights that are trained; meant for an adapter's."""
    return {name: p.detach().cpu().clone() for name, p in model.named_parameters() if p.requires_grad}


def idle(model: Any, before: Mapping[str, torch.Tensor]) -> bool:
    """Tell whether an adapter adds nothing: trained, it is what it was, or the factor that LoRA starts at zero is."""
    import torch

    after = snapshot(model)
    outer = [weight for name, weight in after.items() if "lora_B" in name or "lora_embedding_B" in name]
    if outer and not any(bool(weight.any()) for weight in outer):
        return True
    return all(torch.equal(after[name], weight) for name, weight in before.items())


def same_weights(model: Path, base: Path) -> bool:
    """Tell whether a model folder's safetensors hold the very weights of another's; ends at the first that differs."""
    import torch

    with ExitStack() as files:
        theirs = dict(_tensors(base, files))
        ours = list(_tensors(model, files))
        return bool(ours) and all(
            name in theirs and torch.equal(mine := file.get_tensor(name), theirs[name].get_tensor(name).to(mine.dtype))
            for name, file in ours
        )


def _tensors(folder: Path, files: ExitStack) -> Iterator[tuple[str, Any]]:
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        file = files.enter_context(safe_open(path, framework="pt"))
        yield from ((name, file) for name in file.keys())  # noqa: SIM118  it is no mapping
