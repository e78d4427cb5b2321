"""The yardstick: work like a small model's decoding, in plain torch, that no change of ours or of transformers alters.

Frozen. What it computes decides what it costs, so a change of anything below invalidates every pace that was held
against it: give `YARDSTICK` another number with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunescale_core.decoding.completion import Prompt

if TYPE_CHECKING:
    import torch

LAYERS, WIDTH, HEADS, CACHED, STEPS = 4, 128, 4, 96, 20
"""Twenty steps take about as long as the embedded small model's four tokens: neither side waits on the other."""


@dataclass(frozen=True)
class Yardstick:
    """A side that does the fixed work, whatever is asked."""

    device: str = "cpu"

    def ready(self, prompts: Sequence[Prompt]) -> Callable[[], float]:
        """Return what does the work once and says how many seconds it took, synchronised on an accelerator."""
        del prompts
        import torch

        weights, cache, begun = _made(self.device)
        synchronise: Callable[[], None] = torch.accelerator.synchronize if self.device != "cpu" else lambda: None

        def once() -> float:
            synchronise()
            began = time.perf_counter()
            with torch.inference_mode():
                _work(weights, cache, begun)
            synchronise()
            return time.perf_counter() - began

        return once


def _made(device: str) -> tuple[Any, Any, torch.Tensor]:
    """Seeded weights of each layer, keys and values of each, and the first state, `(1, WIDTH)`."""
    import torch

    drawn = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        made: torch.Tensor = torch.randn(*shape, generator=drawn) / shape[-1] ** 0.5
        return made.to(device)

    wide = [(WIDTH, 3 * WIDTH), (WIDTH, WIDTH), (WIDTH, 4 * WIDTH), (4 * WIDTH, WIDTH)]
    weights = [[normal(*shape) for shape in wide] for _ in range(LAYERS)]
    cache = [[normal(HEADS, CACHED, WIDTH // HEADS) for _ in range(2)] for _ in range(LAYERS)]
    return weights, cache, normal(1, WIDTH)


def _work(weights: Any, cache: Any, state: torch.Tensor) -> torch.Tensor:
    for _ in range(STEPS):
        for layer, (keys, values) in zip(weights, cache, strict=True):
            state = _layer(layer, keys, values, state)
        state = state / (1 + state.abs().max())
    return state


def _layer(layer: Any, keys: torch.Tensor, values: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """One token through attention over a cache and a feed-forward step."""
    import torch

    into, out, up, down = layer
    query, key, value = ((_normal(state) @ into).view(3, HEADS, 1, WIDTH // HEADS)).unbind(0)
    keys, values = torch.cat((keys, key), dim=1), torch.cat((values, value), dim=1)
    shares = torch.softmax(query @ keys.transpose(1, 2) / (WIDTH // HEADS) ** 0.5, dim=-1)
    state = state + (shares @ values).reshape(1, WIDTH) @ out
    added: torch.Tensor = torch.nn.functional.silu(_normal(state) @ up) @ down
    return state + added


def _normal(state: torch.Tensor) -> torch.Tensor:
    return state * (state.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt()
