"""How much of a step is done at once: micro-batch, activation checkpointing and padding, from the memory at hand.

The gradient is that of the whole effective batch whatever is chosen: the same rows in each step, their losses summed
over tokens and divided by the step's tokens. So a plan changes time and memory, and weights by rounding alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

from tunescale_core.study.method import Method

MARGIN = 1.2
"""What is predicted is held against the memory at hand with this much to spare."""
TILE_TOKENS = 4096
"""Rows of the tile of logits that TRL makes at a time."""
CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells a control group (version 2) of its memory."""


class Plan(BaseModel):
    """How a step of the effective batch is cut; `micro_batch · accumulation` rows make one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    training: Literal["literal", "planned"]
    micro_batch: int
    accumulation: int
    activation_checkpointing: bool
    padding: Literal["none", "longest", "sorted"]
    """none: one row at a time; longest: to the longest of the micro-batch; sorted: the same, rows of like length
    of one step together."""
    memory_bytes: int | None = None
    """At hand when the plan was made."""
    predicted_bytes: int | None = None
    """Of weights, gradients, optimiser state and activations."""
    fell_back: tuple[str, ...] = ()
    """Plans that ran out of memory before this one."""

    @classmethod
    def literal(cls, settings: Method) -> Plan:
        """Return the recipe as it is written."""
        return cls(
            training="literal",
            micro_batch=settings.batch,
            accumulation=settings.accumulation,
            activation_checkpointing=settings.activation_checkpointing,
            padding="none" if settings.batch == 1 else "longest",
        )

    @classmethod
    def smallest(cls, settings: Method) -> Plan:
        """Return the plan that takes the least memory."""
        rows = settings.batch * settings.accumulation
        return cls(training="planned", micro_batch=1, accumulation=rows, activation_checkpointing=True, padding="none")

    @property
    def short(self) -> str:
        """The plan in a few words: `4 × 2, checkpointing`."""
        return f"{self.micro_batch} × {self.accumulation}" + (
            ", checkpointing" if self.activation_checkpointing else ""
        )


class Footprint(BaseModel):
    """What training takes, measured on one row or computed from a model's shape."""

    model_config = ConfigDict(frozen=True)

    weight_bytes: int = 0
    """Of the base and the adapter, and of the copies that autocast keeps of linear weights."""

    gradient_bytes: int
    moment_bytes: int
    """Of AdamW's state."""
    kept_bytes: float
    """Kept a token for the backward pass."""
    squared_bytes: float = 0.0
    """Kept a token and token of its row besides: attention's weights, where they are all kept, and masks."""
    checkpointed_bytes: float
    """As `kept_bytes`, with activation checkpointing: each layer's input, and one layer's insides."""
    once_bytes: int = 0
    """Kept however many rows there are: an adapter on a mixture's experts makes their weights anew."""
    layers: int = 1
    """Of which activation checkpointing holds one at a time."""
    head_bytes: float = 0.0
    """A token's part of the logits, of which TRL holds a tile at a time."""
    embedding_bytes: int = 0
    """The embeddings' gradient once more: the head's and the input's are added up where they are one matrix."""
    longest: int
    """Tokens of the longest row."""
    drawn: bool = False
    """Whether a forward pass draws numbers by more than its rows (dropout of attention weights, say), so that rows cut
    otherwise would be drawn otherwise."""

    def predicted(self, micro_batch: int, accumulation: int, *, checkpointing: bool) -> int:
        """Return the bytes that a plan takes at its longest rows.

        Gradients come while activations go, so a step of one micro-batch holds the larger of the two; with several,
        the later ones find the gradients of the first.
        """
        part = 1 / self.layers if checkpointing else 1
        each = self.checkpointed_bytes if checkpointing else self.kept_bytes
        each += part * self.squared_bytes * self.longest
        tokens = micro_batch * self.longest
        once = part * self.once_bytes
        activations = round(tokens * each + once + min(tokens, TILE_TOKENS) * self.head_bytes)
        held = self.weight_bytes + self.moment_bytes + self.embedding_bytes
        if accumulation == 1:
            return held + max(activations, self.gradient_bytes)
        return held + activations + self.gradient_bytes


def plans(settings: Method, footprint: Footprint, memory: int) -> Iterator[Plan]:
    """Yield plans that fit, the fastest first, then ever smaller ones to fall back on; the last takes least.

    Where numbers are drawn that a cut would change, that is the literal loop alone.

    Args:
        settings: Whose effective batch is cut.
        footprint: As measured.
        memory: Bytes at hand.
    """
    if footprint.drawn:
        yield Plan.literal(settings)
        return
    ordered = [_plan(settings, micro, footprint, memory, checkpointing=off) for micro, off in _cuts(settings)]
    fitting = [plan for plan in ordered if MARGIN * (plan.predicted_bytes or 0) <= memory]
    first = ordered.index(fitting[0]) if fitting else len(ordered) - 1
    yield ordered[first]
    taken = ordered[first].predicted_bytes or 0
    for plan in ordered[first + 1 :]:
        if (plan.predicted_bytes or 0) < taken:
            taken = plan.predicted_bytes or 0
            yield plan


def _cuts(settings: Method) -> list[tuple[int, bool]]:
    """Divisors of the effective batch with and without checkpointing, by falling speed.

    Recomputing costs a third more arithmetic; a micro-batch of one row leaves most of a device idle, which costs more.
    """
    rows = settings.batch * settings.accumulation
    divisors = [n for n in range(rows, 0, -1) if rows % n == 0]
    large = [n for n in divisors if 4 * n >= rows]
    small = [n for n in divisors if 4 * n < rows]
    return [*((n, False) for n in large), *((n, True) for n in large), *((n, False) for n in small)] + [
        (n, True) for n in small
    ]


def _plan(settings: Method, micro: int, footprint: Footprint, memory: int, *, checkpointing: bool) -> Plan:
    rows = settings.batch * settings.accumulation
    return Plan(
        training="planned",
        micro_batch=micro,
        accumulation=rows // micro,
        activation_checkpointing=checkpointing,
        padding="none" if micro == 1 else "longest" if micro == rows else "sorted",
        memory_bytes=memory,
        predicted_bytes=footprint.predicted(micro, rows // micro, checkpointing=checkpointing),
    )


def memory_at_hand(device: str) -> int:
    """Return the bytes that can still be allocated: the accelerator's, or the host's within its control group."""
    if device in {"cuda", "xpu"}:
        import torch

        card = getattr(torch, device)
        free, _ = card.mem_get_info()
        return int(free + card.memory_reserved() - card.memory_allocated())
    host = min([psutil.virtual_memory().available, *_group_limit()])
    if device == "mps":  # the host's memory, of which Metal gives out a part
        import torch

        return min(host, torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    return host


def _group_limit() -> Sequence[int]:
    """Return what a control group leaves: files that were read and may be dropped count as used, and are not."""
    try:
        limit, used = (int((CGROUP / f"memory.{name}").read_text(encoding="ascii")) for name in ("max", "current"))
    except (OSError, ValueError):  # no control group, or no limit ("max")
        return []
    return [max(0, limit - used + _droppable())]


def _droppable() -> int:
    try:
        lines = (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    except (OSError, ValueError, IndexError, StopIteration):
        return 0
